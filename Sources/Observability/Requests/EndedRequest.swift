package import AgentStatus

/// A request that is over, for those who are told of all of them: quickly made and passed on, and put into words for whom those
/// are wanted. Holds no secret, as its record is shortened.
package final class EndedRequest: Sendable {
    package let record: AccessRecord
    /// When it was over, in milliseconds since 1970.
    package let at: Int64
    /// Whether it went wrong.
    package let isFailure: Bool
    /// Whether it went wrong, or its caller waited long for the head of the answer.
    package let isTrouble: Bool

    package init(_ record: consuming AccessRecord, at: Int64) {
        record.shorten()
        isFailure = record.isFailure
        isTrouble = record.isTrouble
        self.record = record
        self.at = at
    }

    package var snapshot: RequestSnapshot { RequestSnapshot(record, at: at) }
}

/// As its snapshot.
extension EndedRequest: Encodable {
    package func encode(to encoder: any Encoder) throws { try snapshot.encode(to: encoder) }
}

extension AccessRecord {
    /// Where it waits in memory, a caller's own length must not count, and the query is nobody's business.
    mutating func shorten() {
        path.shorten(to: Self.longestPath, before: UInt8(ascii: "?"))
        method.shorten(to: Self.longestMethod)
    }
}

extension String {
    /// Keeps no more than a part of it, and no memory for the rest.
    ///
    /// - Parameters:
    ///   - most: in bytes.
    ///   - end: a byte before which it ends in any case.
    fileprivate mutating func shorten(to most: Int, before end: UInt8? = nil) {
        let length = withUTF8 { bytes in
            let part = bytes.prefix(most)
            return end.flatMap { part.firstIndex(of: $0) } ?? part.count
        }
        if length < utf8.count { self = String(Substring(utf8.prefix(length))) }
    }
}
