package import AgentStatus

/// A request that is over, for those who are told of all of them: quickly made and passed on, and put into words for whom those
/// are wanted. Holds no secret, as its record is one to keep.
package final class EndedRequest: Sendable {
    package let record: AccessRecord
    /// When it was over, in milliseconds since 1970.
    package let at: Int64

    package init(_ record: AccessRecord, at: Int64) {
        self.record = record.toKeep
        self.at = at
    }

    package var snapshot: RequestSnapshot { RequestSnapshot(record, at: at) }
}

/// As its snapshot.
extension EndedRequest: Encodable {
    package func encode(to encoder: any Encoder) throws { try snapshot.encode(to: encoder) }
}

extension AccessRecord {
    /// The same where it waits in memory: there a caller's own length must not count, and the query is nobody's business.
    var toKeep: AccessRecord {
        var record = self
        record.path = path.start(Self.longestPath, before: UInt8(ascii: "?"))
        record.method = method.start(Self.longestMethod)
        return record
    }
}

extension String {
    /// No more than a part of it, so that no longer text is kept.
    ///
    /// - Parameters:
    ///   - most: in bytes.
    ///   - end: a byte before which it ends in any case.
    fileprivate func start(_ most: Int, before end: UInt8? = nil) -> String {
        var text = self
        let length = text.withUTF8 { bytes in
            let part = bytes.prefix(most)
            return end.flatMap { part.firstIndex(of: $0) } ?? part.count
        }
        return length == utf8.count ? self : String(Substring(utf8.prefix(length)))
    }
}
