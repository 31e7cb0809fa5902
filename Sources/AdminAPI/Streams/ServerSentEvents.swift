/// One event of a stream of them (WHATWG HTML §9.2).
package struct ServerSentEvent: Sendable, Hashable {
    /// By which the stream goes on behind it; nil where none was told so far.
    package var id: String?
    /// `message` where it bears none.
    package var name: String
    package var data: String
}

/// Takes server-sent events off a stream of bytes, piece by piece as they come.
struct ServerSentEventReader {
    /// Most bytes of one event.
    static let mostBytes = 1 << 20

    private var line: [UInt8] = []
    private var isBehindCR = false
    private var id: String?
    private var name = ""
    private var data: String?
    private var size = 0

    /// - Returns: the events that are whole by now; nil when one is too long.
    mutating func read(_ bytes: some Sequence<UInt8>) -> [ServerSentEvent]? {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            defer { isBehindCR = byte == UInt8(ascii: "\r") }
            switch byte {
            case UInt8(ascii: "\n") where isBehindCR: break
            case UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                if let event = endLine() { events.append(event) }
            default:
                size += 1
                guard size <= Self.mostBytes else { return nil }
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return endEvent() }
        let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        var value = parts.count > 1 ? parts[1] : []
        if value.first == UInt8(ascii: " ") { value.removeFirst() }
        let text = String(decoding: value, as: UTF8.self)
        switch String(decoding: parts[0], as: UTF8.self) {
        case "id": if !value.contains(0) { id = text }
        case "event": name = text
        case "data": data = data.map { "\($0)\n\(text)" } ?? text
        // A comment, or what this version does not know.
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> ServerSentEvent? {
        defer { (name, data, size) = ("", nil, 0) }
        return data.map { ServerSentEvent(id: id, name: name.isEmpty ? "message" : name, data: $0) }
    }
}
