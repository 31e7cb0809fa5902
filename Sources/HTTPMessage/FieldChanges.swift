import struct NIOCore.ByteBuffer

/// What a configuration has done to the fields of a message.
package struct FieldChanges: Hashable, Sendable {
    /// A field to write.
    package struct Setting: Hashable, Sendable {
        package let name: String
        package let value: FieldTemplate

        package init(_ name: String, _ value: FieldTemplate) {
            self.name = name
            self.value = value
        }
    }

    /// Which way the message goes.
    package enum Direction: Sendable {
        /// A caller's request.
        case request
        /// An answer.
        case response
    }

    /// In place of what came under these names.
    package let set: [Setting]
    /// Behind what came.
    package let added: [Setting]
    package let removed: [String]
    /// The names of which nothing that came goes on, as `foldedInName` leaves them.
    fileprivate let leaving: Set<[UInt8]>

    package init(set: [Setting] = [], added: [Setting] = [], removed: [String] = []) {
        self.set = set
        self.added = added
        self.removed = removed
        leaving = Set((removed + set.map(\.name)).map { $0.utf8.map(\.foldedInName) })
    }

    package var isEmpty: Bool { self.set.isEmpty && added.isEmpty && removed.isEmpty }

    /// Whether a value repeats that.
    package func uses(_ variable: FieldTemplate.Variable) -> Bool {
        (set + added).contains { $0.value.uses(variable) }
    }

    // MARK: What may be changed

    /// Longest name, in bytes.
    private static let longestName = 128
    /// What frames, routes or authenticates a request on its way, or says of it what we know better.
    private static let oursInRequests: FieldNameSet = [
        .contentLength, .expect, .forwarded, .host, .secWebSocketKey, .secWebSocketVersion,
        .xClientCertificateName, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xHost, .xToken,
        .xTunnelAuthorization, .xTunnelHost,
    ]
    private static let oursInResponses: FieldNameSet = [.contentLength, .secWebSocketAccept]

    /// Whether a text can be the name of a field (RFC 9110 §5.1).
    package static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longestName && text.utf8.allSatisfy(\.isTokenByte)
    }

    /// Whether a field is not to be touched: it belongs to a hop, frames the message, or says what this program sees to
    /// itself.
    package static func isOurs(_ name: String, in direction: Direction) -> Bool {
        var name = name.lowercased().replacing("_", with: "-")
        guard name != "x-request-id", name != "via" else { return true }
        let known = name.withUTF8 { FieldName(UnsafeRawBufferPointer($0)) }
        return known.isHopByHop
            || (direction == .request ? oursInRequests : oursInResponses).contains(known)
    }
}

/// What becomes of the fields of one request and its answer. Made only where something does.
package final class FieldRewriting: Sendable {
    private static let requestIDName = "X-Request-Id"
    private static let foldedRequestID: Set<[UInt8]> = [requestIDName.utf8.map(\.foldedInName)]

    private let requests: [FieldChanges]
    private let responses: [FieldChanges]
    private let facts: FieldFacts
    private let hidesAuthorization: Bool
    private let tellsRequestID: Bool

    /// - Parameters:
    ///   - requests: what the widest rule says comes first, so that narrower ones have the last word.
    ///   - responses: the same for the answer.
    ///   - hidesAuthorization: whether `Authorization` was for us, and is not the origin's business.
    ///   - tellsRequestID: whether origin and caller are told the request's id.
    package init(
        requests: [FieldChanges], responses: [FieldChanges], _ facts: FieldFacts, hidesAuthorization: Bool,
        tellsRequestID: Bool
    ) {
        self.requests = requests
        self.responses = responses
        self.facts = facts
        self.hidesAuthorization = hidesAuthorization
        self.tellsRequestID = tellsRequestID
    }

    /// Of a request on its way to the origin, freed of what belongs to the caller's hop: what `Connection` names could take
    /// a field away that was written before.
    package func rewrite(request fields: inout HeaderFields) {
        if hidesAuthorization { fields.remove(.authorization) }
        tellRequestID(&fields)
        for changes in requests { fields.apply(changes, facts) }
    }

    /// Of its trailers: they bring back nothing that was taken away.
    package func rewrite(trailers fields: inout HeaderFields) {
        for changes in requests { fields.remove(named: changes.leaving) }
    }

    /// Of the answer that came through the tunnel.
    package func rewrite(response fields: inout HeaderFields) {
        tellRequestID(&fields)
        for changes in responses { fields.apply(changes, facts) }
    }

    private func tellRequestID(_ fields: inout HeaderFields) {
        guard tellsRequestID, let id = facts.requestID else { return }
        fields.remove(named: Self.foldedRequestID)
        fields.append(named: Self.requestIDName, id)
    }
}

extension HeaderFields {
    fileprivate mutating func apply(_ changes: FieldChanges, _ facts: FieldFacts) {
        remove(named: changes.leaving)
        for setting in changes.set + changes.added {
            let value = setting.value.text(facts)
            if !value.isEmpty { append(named: setting.name, value) }
        }
    }

    /// Removes every field with one of these names, in any letter case, and with `_` for `-`: many programs behind a web
    /// server cannot tell the two apart (RFC 3875 §4.1.18).
    fileprivate mutating func remove(named names: Set<[UInt8]>) {
        guard !names.isEmpty, !isEmpty else { return }
        let bytes = self.bytes
        removeEntries { entry in
            bytes.withUnsafeReadableBytes { memory in
                names.contains(memory[entry.nameRange].map(\.foldedInName))
            }
        }
    }
}

extension UInt8 {
    fileprivate var foldedInName: UInt8 {
        switch self {
        case UInt8(ascii: "_"): UInt8(ascii: "-")
        case 0x41...0x5a: self | 0x20
        default: self
        }
    }
}
