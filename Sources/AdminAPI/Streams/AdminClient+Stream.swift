import FoundationEssentials
import Glibc
import HTTPMessage
import HostSystem
import NIOCore

extension AdminClient {
    /// How a stream ended.
    package enum StreamEnd: Sendable {
        /// There is no more: all was told, or the agent stops.
        case ended
        /// Who takes the events wants no more.
        case stopped
        /// Nobody can read any more what would be written.
        case outputClosed
    }

    /// Takes the events of a stream as they come, until one of the ends. Waits meanwhile. Who wants more behind a stream
    /// that broke off asks again, with the last id.
    ///
    /// - Parameters:
    ///   - target: path and query.
    ///   - id: of the event behind which the stream begins; nil for where the agent begins.
    ///   - output: a descriptor; the stream ends when who reads from it is gone, also while there is nothing to tell.
    ///   - opened: called once, when the agent has begun to answer.
    ///   - take: returns whether there is to be more.
    package func follow(
        _ target: String, after id: String? = nil, writingTo output: CInt? = nil,
        opened: () -> Void = {}, _ take: (ServerSentEvent) -> Bool
    ) throws(AdminClientError) -> StreamEnd {
        let socket = try Self.connect(to: path, patience ?? Self.streamPatience)
        let place = id.map { "Last-Event-ID: \($0.filter { !$0.isNewline })\r\n" } ?? ""
        let head = "GET \(target) HTTP/1.1\r\nHost: wstunnel\r\nAccept: text/event-stream\r\n\(place)\r\n"
        try Self.write(Array(head.utf8), to: socket.number)
        var answer = StreamedAnswer()
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            guard try waitForBytes(socket.number, output) else { return .outputClosed }
            let count = read(socket.number, &chunk, chunk.count)
            guard count > 0 || count < 0 && errno == EINTR else { throw AdminClientError(.brokeOff) }
            let wasOpen = answer.isOpen
            let events = try answer.read(chunk[..<max(0, count)])
            if answer.isOpen, !wasOpen { opened() }
            for event in events where !take(event) { return .stopped }
            if answer.isWhole { return .ended }
        }
    }

    /// A stream that lives says so every 15 s.
    private static let streamPatience: Duration = .seconds(60)

    /// - Returns: false when who reads the output is gone.
    private func waitForBytes(_ socket: CInt, _ output: CInt?) throws(AdminClientError) -> Bool {
        let milliseconds = CInt(clamping: (patience ?? Self.streamPatience).components.seconds * 1000)
        while true {
            var entries = [pollfd(fd: socket, events: Int16(POLLIN), revents: 0)]
            if let output { entries.append(pollfd(fd: output, events: 0, revents: 0)) }
            let count = poll(&entries, nfds_t(entries.count), milliseconds)
            if count == 0 { throw AdminClientError(.timedOut) }
            guard count > 0 else {
                guard errno == EINTR else { throw AdminClientError(.brokeOff) }
                continue
            }
            if entries.count > 1, entries[1].revents != 0 { return false }
            if entries[0].revents != 0 { return true }
        }
    }
}

/// An answer of server-sent events while it comes.
private struct StreamedAnswer {
    private static let mostRefusalBytes = 64 << 10

    private var buffer = ByteBuffer()
    private var reader = ResponseHeadReader()
    private var body: BodyDecoder?
    private var events = ServerSentEventReader()
    private var status = 0
    private var isStream = false
    /// Of an answer that is no stream.
    private var refusal: [UInt8] = []
    private(set) var isWhole = false

    /// Whether its head has come, and is one of a stream.
    var isOpen: Bool { status == 200 && isStream }

    mutating func read(_ bytes: ArraySlice<UInt8>) throws(AdminClientError) -> [ServerSentEvent] {
        buffer.writeBytes(bytes)
        do throws(HTTPMessageError) {
            return try parse()
        } catch {
            throw AdminClientError(refusedWords.map { .refused($0) } ?? .nonsense)
        }
    }

    private mutating func parse() throws(HTTPMessageError) -> [ServerSentEvent] {
        if body == nil {
            guard let head = try reader.next(&buffer) else { return [] }
            status = head.status
            isStream = head.fields[.contentType] == "text/event-stream"
            body = BodyDecoder(try head.bodyFraming(requestMethod: "GET"))
        }
        var found: [ServerSentEvent] = []
        while !isWhole, let part = try body?.next(&buffer) {
            switch part {
            case .bytes(let bytes) where isOpen:
                guard let more = events.read(bytes.readableBytesView) else { throw Self.tooLong }
                found += more
            case .bytes(let bytes):
                refusal += bytes.readableBytesView
                guard refusal.count <= Self.mostRefusalBytes else { throw Self.tooLong }
            case .end:
                isWhole = true
                guard isOpen else { throw Self.noStream }
            }
        }
        return found
    }

    private var refusedWords: String? {
        isWhole ? (try? JSONDecoder().decode([String: String].self, from: Data(refusal)))?["error"] : nil
    }

    private static let tooLong = HTTPMessageError(.malformed, "an event that is too long")
    private static let noStream = HTTPMessageError(.malformed, "no stream")
}
