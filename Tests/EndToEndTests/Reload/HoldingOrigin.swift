import Foundation
import Synchronization
import TestSupport

/// An origin that answers `/` with its name, and holds what it is told to hold: so a test knows what is in flight.
/// It serves a `SteadyLoad` too.
final class HoldingOrigin: Sendable {
    let name: String
    private let origin: ScriptedOrigin
    private let holds: Holds
    var url: String { origin.url }

    private final class Holds: Sendable {
        struct Hold: Sendable {
            let arrived = Gate()
            let go = Gate()
        }

        private let byTarget = Mutex<[String: Hold]>([:])

        func add(_ target: String, _ hold: Hold = Hold()) -> Hold {
            byTarget.withLock { $0[target] = hold }
            return hold
        }

        subscript(target: String) -> Hold? { byTarget.withLock { $0[target] } }
    }

    init(_ name: String) throws {
        self.name = name
        let holds = Holds()
        self.holds = holds
        origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                guard let hold = holds[request.target] else {
                    if request.target == "/" {
                        try connection.respond(text: name)
                    } else {
                        try SteadyLoad.serve(request, connection)
                    }
                    continue
                }
                if request.target.hasPrefix("/stream") {
                    try connection.startEventStream()
                    try connection.sendEvent("first")
                    hold.arrived.open()
                    try hold.go.wait(within: .seconds(600))
                    try connection.sendEvent("last")
                    try connection.socket.writeLastChunk(trailers: [])
                } else {
                    hold.arrived.open()
                    try hold.go.wait(within: .seconds(600))
                    try connection.respond(text: name)
                }
            }
        }
    }

    /// A request that the origin has and answers when it is let go.
    func hold(port: Int, token: String) throws -> HeldRequest {
        try Self.hold(at: [self], port: port, token: token)
    }

    /// A request that one of the origins has, whichever that is.
    static func hold(at origins: [HoldingOrigin], port: Int, token: String) throws -> HeldRequest {
        let target = "/held-\(UInt32.random(in: 0 ... .max))"
        let hold = Holds.Hold()
        for origin in origins { _ = origin.holds.add(target, hold) }
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", target, fields: [("X-Token", token)])
        try hold.arrived.wait()
        return HeldRequest(caller: caller, go: hold.go)
    }

    /// An event stream that has begun and goes on until it is let go.
    func stream(port: Int, token: String) throws -> HeldStream {
        let target = "/stream-\(UInt32.random(in: 0 ... .max))"
        let hold = holds.add(target)
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", target, fields: [("X-Token", token)])
        let head = try caller.readHead()
        guard head.status == 200, try caller.socket.readChunk() == Array("data: first\n\n".utf8) else {
            throw TestFailure("the stream did not begin: \(head.status)")
        }
        return HeldStream(caller: caller, go: hold.go)
    }
}

/// A request in flight.
struct HeldRequest {
    let caller: HTTPConnection
    fileprivate let go: Gate

    /// Leaves it as it is.
    func abandon() {
        caller.close()
        go.open()
    }

    /// Lets the origin answer.
    ///
    /// - Returns: the answer: the origin's name, when all is well.
    func finish() throws -> String {
        go.open()
        let answer = try caller.readResponse()
        caller.close()
        return answer.status == 200 ? answer.text : "\(answer.status): \(answer.text)"
    }
}

/// An event stream in flight.
struct HeldStream {
    let caller: HTTPConnection
    fileprivate let go: Gate

    /// Lets the stream end.
    ///
    /// - Throws: when it does not come to its regular end.
    func finish() throws {
        go.open()
        var events: [String] = []
        while let chunk = try caller.socket.readChunk() {
            events.append(String(decoding: chunk, as: UTF8.self))
        }
        guard events == ["data: last\n\n"] else { throw TestFailure("the stream ended with \(events)") }
        caller.close()
    }
}

extension HTTPConnection {
    /// One request on a connection of its own.
    ///
    /// - Returns: the status and, when it is 200, the body.
    static func ask(port: Int, token: String, _ target: String = "/") throws -> String {
        let caller = try HTTPConnection(port: port)
        defer { caller.close() }
        let answer = try caller.exchange("GET", target, fields: [("X-Token", token)])
        return answer.status == 200 ? answer.text : "\(answer.status)"
    }
}
