import Foundation
import Synchronization
import TestSupport
import Testing

/// A tunnel that works, for the attacks that happen beside it: server, client and built-in origin in one process.
final class BesiegedAgent: Sendable {
    static let token = "besieged-good-token-1"
    let agent: AgentProcess
    let port: Int

    /// - Parameters:
    ///   - server: more keys of the server, each `key: value`.
    ///   - origin: where the good tunnel leads.
    ///   - password: of the good tunnel.
    init(server: [String] = [], origin: String = "builtin:echo", password: String? = nil) throws {
        let port = try freePort()
        self.port = port
        agent = try AgentProcess(
            configuration: """
                shutdown-grace: 2s
                servers:
                  - { \((["name: public", "host: 127.0.0.1", "port: \(port)"] + server).joined(separator: ", ")) }
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: "\(Self.token)", connections: 2\(password.map { ", password: \($0)" } ?? "") }
                """)
        // Both of them: who counts open files later counts them in.
        try agent.waitForSessions(2)
    }

    var process: ChildProcess { agent.process }

    /// A request through the good tunnel.
    func request(_ target: String = "/", limit: Duration = .seconds(20)) throws -> HTTPResponse {
        try HTTPConnection(port: port, limit: limit).exchange(
            "GET", target, fields: [("X-Token", Self.token)])
    }

    /// Waits until the open files are as few as they were, but for a small number.
    func waitForOpenFiles(atMost count: Int, within limit: Duration = .seconds(15)) throws {
        let deadline = ContinuousClock.now + limit
        // The kernel tells nobody that a process has closed its files, so they are counted again and again.
        while true {
            let now = try process.openFileCount()
            if now <= count { return }
            guard ContinuousClock.now < deadline else { throw TestFailure("\(now) files open, not \(count)") }
            usleep(20_000)
        }
    }
}

/// A value that tests which run at once have in common. The last one lets go of it: a static one would outlive the
/// test program, and its process too.
final class SharedWhileUsed<Value: AnyObject & Sendable>: Sendable {
    private struct Box: Sendable {
        weak var value: Value?
    }

    private let box = Mutex(Box())

    func value(_ make: () throws -> Value) throws -> Value {
        try box.withLock { box in
            if let value = box.value { return value }
            let value = try make()
            box.value = value
            return value
        }
    }
}

/// A caller that minds its own business: one request after another through the good tunnel, until `finish`.
final class Bystander: Sendable {
    private struct Observations {
        /// The slowest of its first answers, before anything happened.
        var usual = Duration.zero
        var answers = 0
        var failures: [String] = []
        var slowest = Duration.zero
    }

    private let observations = Mutex(Observations())
    private let mustEnd = Mutex(false)
    private let ended = Gate()

    init(port: Int, token: String = BesiegedAgent.token) throws {
        let connection = try HTTPConnection(port: port)
        let ask: @Sendable (Int) throws -> HTTPResponse = { number in
            try connection.exchange(
                "POST", "/\(number)", fields: [("X-Token", token)], body: [UInt8]("body \(number)".utf8))
        }
        for number in 1...20 {
            let took = try ContinuousClock().measure { try note(number, Result { try ask(number) }).get() }
            observations.withLock { $0.usual = max($0.usual, took) }
        }
        Thread.detachNewThread { [self] in
            var number = 20
            var result: Result<Void, any Error>
            repeat {
                number += 1
                let start = ContinuousClock.now
                result = note(number, Result { try ask(number) })
                let took = ContinuousClock.now - start
                observations.withLock { $0.slowest = max($0.slowest, took) }
            } while (try? result.get()) != nil && !mustEnd.withLock { $0 }
            ended.open()
        }
    }

    private func note(_ number: Int, _ result: Result<HTTPResponse, any Error>) -> Result<Void, any Error> {
        observations.withLock { seen in
            switch result {
            case .success(let answer) where answer.status == 200 && answer.text.contains("body \(number)"):
                seen.answers += 1
            case .success(let answer): seen.failures.append("\(answer.status): \(answer.text)")
            case .failure(let error): seen.failures.append("\(error)")
            }
        }
        return result.map { _ in }
    }

    /// Ends it; throws when anything went wrong, or took longer than a caller would bear, and much longer than before.
    func finish(slowest limit: Duration = .seconds(5)) throws {
        mustEnd.withLock { $0 = true }
        try ended.wait()
        let seen = observations.withLock { $0 }
        guard seen.failures.isEmpty else {
            throw TestFailure("the bystander noticed: \(seen.failures.prefix(3))")
        }
        guard seen.answers > 20 else { throw TestFailure("the bystander got no answer at all") }
        guard seen.slowest < max(limit, seen.usual * 20) else {
            throw TestFailure("the bystander waited \(seen.slowest); before, \(seen.usual)")
        }
    }
}

extension HTTPConnection {
    /// Reads an answer that was broken off behind its head, which the end may have overtaken: whatever came, it must
    /// not look whole. A body with a length or chunks tells that by what is missing, however the connection ends; one
    /// that ends with its connection only by a reset.
    func expectBrokenAnswer() throws {
        do {
            let answer = try readResponse()
            Issue.record("it looks whole: \(answer.head.startLine) \(answer.text)")
        } catch let end as StreamEnd {
            #expect(end != .timedOut)
        }
    }
}

/// A token whose first 8 characters, which logs show, are its own.
func uniqueToken() -> String { UUID().uuidString.lowercased() }

/// The mux of protocol v2, written apart from the agent's: eight bytes (20 bits of length, 4 of flags, 8 of type,
/// 32 of stream), then the payload.
enum Mux {
    enum Kind: UInt32 {
        case settings, request, response, data, trailers, reset, window, ping, goAway
    }

    static let last: UInt32 = 1
    static let interim: UInt32 = 2
    static let answer: UInt32 = 2

    static func frame(_ kind: Kind, flags: UInt32 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8]
    {
        frame(rawKind: kind.rawValue, flags: flags, stream: stream, payload)
    }

    static func frame(_ kind: Kind, flags: UInt32 = 0, stream: UInt32 = 0, _ payload: String) -> [UInt8] {
        frame(kind, flags: flags, stream: stream, Array(payload.utf8))
    }

    static func frame(rawKind: UInt32, flags: UInt32 = 0, stream: UInt32 = 0, _ payload: [UInt8] = [])
        -> [UInt8]
    {
        integer(UInt32(payload.count) << 12 | flags << 8 | rawKind) + integer(stream) + payload
    }

    static func integer(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    static func settings(version: UInt32 = 2, streams: UInt32 = 1000, window: UInt32 = 65_536) -> [UInt8] {
        var payload: [UInt8] = []
        for (key, value) in [(UInt16(1), version), (2, streams), (3, window)] {
            payload += integer(key) + integer(UInt16(4)) + integer(value)
        }
        return frame(.settings, payload)
    }

    static func request(_ stream: UInt32, _ head: String, window: UInt32 = 65_536, isLast: Bool = true)
        -> [UInt8]
    {
        frame(.request, flags: isLast ? last : 0, stream: stream, integer(window) + Array(head.utf8))
    }

    static let plainRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    /// A frame as it came.
    struct Received {
        let kind: UInt32
        let flags: UInt32
        let stream: UInt32
        let payload: [UInt8]

        /// Takes the frames of a message apart.
        static func all(in message: [UInt8]) throws -> [Received] {
            var frames: [Received] = []
            var rest = message[...]
            while !rest.isEmpty {
                guard rest.count >= 8 else { throw TestFailure("a cut mux header") }
                let word = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                let stream = rest.dropFirst(4).prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                let length = Int(word >> 12)
                rest = rest.dropFirst(8)
                guard rest.count >= length else { throw TestFailure("a cut mux frame") }
                frames.append(
                    Received(
                        kind: word & 0xff, flags: word >> 8 & 0xf, stream: stream,
                        payload: Array(rest.prefix(length))))
                rest = rest.dropFirst(length)
            }
            return frames
        }
    }
}

/// A WebSocket frame's bytes, right or wrong.
func webSocketFrame(
    opcode: UInt8, _ payload: [UInt8], isMasked: Bool, first: UInt8? = nil
) -> [UInt8] {
    var bytes = [first ?? (0x80 | opcode)]
    let mask: UInt8 = isMasked ? 0x80 : 0
    switch payload.count {
    case ..<126: bytes.append(mask | UInt8(payload.count))
    case ..<65_536: bytes += [mask | 126] + Mux.integer(UInt16(payload.count))
    default: bytes += [mask | 127] + Mux.integer(UInt64(payload.count))
    }
    // A mask of zeros is a mask.
    return bytes + (isMasked ? [0, 0, 0, 0] : []) + payload
}

/// A tunnel client made by hand: it says what it is told to.
final class TunnelPeer {
    let connection: WebSocketConnection
    private var waiting: [Mux.Received] = []

    /// Shakes hands, and sends the settings unless told otherwise.
    init(
        port: Int, token: String, settings: [UInt8]? = Mux.settings(), fields: [(String, String)] = [],
        limit: Duration = .seconds(20), receiveBuffer: Int32? = nil
    ) throws {
        connection = try WebSocketConnection(
            port: port, target: "/_tunnel",
            fields: [("Origin", token), ("Sec-WebSocket-Protocol", "wstunnel.v2")] + fields, limit: limit,
            receiveBuffer: receiveBuffer)
        if let settings { try send(settings) }
    }

    var socket: StreamSocket { connection.socket }

    /// Sends mux frames in one message.
    func send(_ frames: [UInt8]...) throws {
        try connection.send(.binary(Array(frames.joined())))
    }

    /// The next frame that is neither settings nor ping.
    func nextFrame() throws -> Mux.Received {
        while true {
            while !waiting.isEmpty {
                let frame = waiting.removeFirst()
                if frame.kind != Mux.Kind.settings.rawValue, frame.kind != Mux.Kind.ping.rawValue {
                    return frame
                }
            }
            if case .binary(let message) = try connection.receive() {
                waiting += try Mux.Received.all(in: message)
            }
        }
    }

    /// Waits for a request and gives its stream.
    func nextRequest() throws -> UInt32 {
        while true {
            let frame = try nextFrame()
            if frame.kind == Mux.Kind.request.rawValue { return frame.stream }
        }
    }

    /// How the server ended the session: the code of its close frame, or nil for a cut.
    func closeCode() throws -> UInt16? {
        do {
            while true {
                if case .close(let code, _) = try connection.receive() { return code }
            }
        } catch let end as StreamEnd where end != .timedOut {
            return nil
        }
    }
}
