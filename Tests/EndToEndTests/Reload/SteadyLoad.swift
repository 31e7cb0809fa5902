import Foundation
import Synchronization
import TestSupport

/// Every kind of traffic through one tunnel, without a pause, until it is stopped: short requests, an event stream,
/// a WebSocket, a slow upload and a slow download. Whatever goes wrong is kept.
final class SteadyLoad: Sendable {
    enum Kind: String, CaseIterable {
        /// Requests on a connection each.
        case short
        /// Requests on one connection, for as long as the server keeps it.
        case kept
        /// One event stream.
        case event
        /// Messages on one WebSocket.
        case message
        case upload, download
    }

    /// An origin for the load.
    static func origin() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() { try serve(request, connection) }
        }
    }

    /// Answers what the load asks.
    static func serve(_ request: MessageHead, _ connection: OriginConnection) throws {
        switch request.target {
        case "/events":
            try connection.startEventStream()
            var number = 0
            while true {
                try connection.sendEvent("event \(number)")
                number += 1
                usleep(20_000)
            }
        case "/socket":
            try connection.acceptWebSocket(request)
            try connection.echoWebSocket()
        case "/slow-download":
            try connection.writeHead(200, fields: [("Content-Length", "\(slowBytes)")])
            for chunk in chunks {
                try connection.socket.write(chunk)
                usleep(10_000)
            }
        case "/moment":
            usleep(150_000)
            try connection.respond(text: "done")
        default: try connection.echo(request)
        }
    }

    private static let chunks = (0..<100).map { SplitMix64(seed: UInt64($0)).sequence(2000) }
    private static let slowBytes = 200_000
    private static let whole = chunks.flatMap(\.self)

    private struct State {
        var isOn = true
        var faults: [String] = []
        var counts: [Kind: Int] = [:]
    }

    private let port: Int
    private let token: String
    private let state = Mutex(State())
    private let threads = Mutex<[Background<Void>]>([])

    /// - Parameter kinds: of traffic; what has no end of its own (`event`, `message`) holds up what should leave.
    init(port: Int, token: String, _ kinds: [Kind] = Kind.allCases) {
        self.port = port
        self.token = token
        threads.withLock { threads in
            threads = kinds.map { kind in
                Background {
                    do {
                        try self.run(kind)
                    } catch {
                        self.state.withLock { $0.faults.append("\(kind): \(error)") }
                    }
                }
            }
        }
    }

    private func run(_ kind: Kind) throws {
        switch kind {
        case .short: try shortRequests(onOneConnection: false)
        case .kept: try shortRequests(onOneConnection: true)
        case .event: try eventStream()
        case .message: try webSocket()
        case .upload: try slowUploads()
        case .download: try slowDownloads()
        }
    }

    /// Ends the load.
    ///
    /// - Returns: what went wrong, and how often each kind of traffic went well.
    func stop() throws -> (faults: [String], counts: [Kind: Int]) {
        state.withLock { $0.isOn = false }
        for thread in threads.withLock(\.self) { try thread.value(within: .seconds(40)) }
        return state.withLock { ($0.faults, $0.counts) }
    }

    private var isOn: Bool { state.withLock { $0.isOn } }

    private func succeeded(_ what: Kind) { state.withLock { $0.counts[what, default: 0] += 1 } }

    private var fields: [(String, String)] { [("X-Token", token)] }

    private func shortRequests(onOneConnection isKept: Bool) throws {
        var connection = try HTTPConnection(port: port)
        var number = 0
        while isOn {
            number += 1
            let body = Array("request \(number)".utf8)
            let answer = try connection.exchange("POST", "/echo", fields: fields, body: body)
            guard answer.status == 200, answer.body == body else {
                throw TestFailure("answer \(number): \(answer.status) \(answer.text.prefix(100))")
            }
            succeeded(isKept ? .kept : .short)
            // A server that moves or stops lets its callers go after their next answer.
            if !isKept || answer.head.has("Connection", "close") {
                connection.close()
                connection = try HTTPConnection(port: port)
            }
        }
    }

    private func eventStream() throws {
        let connection = try HTTPConnection(port: port)
        try connection.send("GET", "/events", fields: fields)
        let head = try connection.readHead()
        guard head.status == 200 else { throw TestFailure("status \(head.status)") }
        var seen = 0
        while isOn {
            seen += try connection.socket.readSome().count
            succeeded(.event)
        }
        connection.close()
    }

    private func webSocket() throws {
        let connection = try WebSocketConnection(port: port, target: "/socket", fields: fields)
        var number = 0
        while isOn {
            number += 1
            try connection.send(.text("message \(number)"))
            guard try connection.receive() == .text("message \(number)") else {
                throw TestFailure("message \(number) did not come back")
            }
            succeeded(.message)
            usleep(1000)
        }
        connection.close()
    }

    private func slowUploads() throws {
        while isOn {
            let connection = try HTTPConnection(port: port)
            try connection.send(
                "POST /upload HTTP/1.1\r\nHost: x\r\nX-Token: \(token)\r\nContent-Length: \(Self.slowBytes)\r\n\r\n"
            )
            for chunk in Self.chunks {
                try connection.send(chunk)
                usleep(10_000)
            }
            let answer = try connection.readResponse(toMethod: "POST")
            let isSame = answer.status == 200 && answer.body == Self.whole
            guard isSame else { throw TestFailure("\(answer.status), \(answer.body.count) bytes") }
            succeeded(.upload)
            connection.close()
        }
    }

    private func slowDownloads() throws {
        while isOn {
            let connection = try HTTPConnection(port: port)
            let answer = try connection.exchange("GET", "/slow-download", fields: fields)
            let isSame = answer.status == 200 && answer.body == Self.whole
            guard isSame else { throw TestFailure("\(answer.status), \(answer.body.count) bytes") }
            succeeded(.download)
            connection.close()
        }
    }
}
