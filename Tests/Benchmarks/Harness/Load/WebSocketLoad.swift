import Foundation
import Synchronization
import TestSupport

/// Callers that send messages through upgraded connections and wait for the echo.
enum WebSocketLoad {
    /// - Parameters:
    ///   - connections: each with a thread of its own.
    ///   - window: how many messages each has on the way: 1 for ping-pong.
    /// - Returns: how many messages came back in all, and in how many seconds.
    static func run(
        _ entrance: Way.Entrance, connections: Int, window: Int, seconds: Int
    ) throws -> (messages: Int, seconds: Double) {
        let messages = Mutex(0)
        let failures = Mutex<[String]>([])
        let sockets = try (0..<connections).map { _ in
            try WebSocketConnection(
                port: entrance.port, target: "/echo", fields: entrance.fields.map { ($0.name, $0.value) })
        }
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let crew = Crew(connections) { number in
            do {
                let count = try converse(sockets[number].socket, window, until: end)
                messages.withLock { $0 += count }
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        try crew.wait()
        let time = start.duration(to: .now)
        for socket in sockets { socket.close() }
        if let failure = failures.withLock({ $0.first }) { throw TestFailure(failure) }
        return (messages.withLock { $0 }, time / .seconds(1))
    }

    private static func converse(
        _ socket: StreamSocket, _ window: Int, until end: ContinuousClock.Instant
    ) throws -> Int {
        let frames = WebSocketMessages.masked(count: window)
        try socket.write(frames)
        var (received, underway, count) = (0, window, 0)
        while underway > 0 {
            received += try socket.readSome().count
            let whole = received / WebSocketMessages.plainSize
            received -= whole * WebSocketMessages.plainSize
            count += whole
            underway -= whole
            if whole > 0, ContinuousClock.now < end {
                try socket.write(frames.prefix(whole * WebSocketMessages.maskedSize))
                underway += whole
            }
        }
        return count
    }
}
