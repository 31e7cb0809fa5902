import Foundation
import Synchronization
import TestSupport

/// Large bodies through a way, each on a connection and a thread of its own.
enum Transfer {
    /// Downloads a body so many times at once.
    ///
    /// - Returns: seconds from the first request to the last byte.
    static func download(_ body: Origins.Body, _ entrance: Way.Entrance, atOnce count: Int) throws -> Double {
        try measure(count) {
            var stream = try beginDownload(body, entrance)
            defer { stream.close() }
            _ = try stream.drop(body.size)
        }
    }

    /// Asks for a body on a connection of its own, and reads the head of the answer.
    static func beginDownload(_ body: Origins.Body, _ entrance: Way.Entrance) throws -> RawStream {
        var stream = try RawStream(port: entrance.port)
        do {
            try stream.write(head("GET", body.path, entrance, length: nil))
            let answer = try stream.readHead()
            guard answer.first?.contains(" 200 ") == true else {
                throw TestFailure("a download was answered with \(answer.first ?? "nothing")")
            }
            guard RawStream.contentLength(of: answer) == body.size else {
                throw TestFailure("a download of another length: \(answer)")
            }
            return stream
        } catch {
            stream.close()
            throw error
        }
    }

    /// Uploads so many bodies at once.
    ///
    /// - Returns: seconds from the first request to the last answer.
    static func upload(_ body: Origins.Body, _ entrance: Way.Entrance, atOnce count: Int) throws -> Double {
        try measure(count) {
            var stream = try RawStream(port: entrance.port)
            defer { stream.close() }
            try stream.write(head("POST", "/sink", entrance, length: body.size))
            let piece = [UInt8](repeating: 0x5a, count: 1 << 18)
            for _ in 0..<(body.size / piece.count) { try stream.write(piece) }
            let answer = try stream.readHead()
            guard answer.first?.contains(" 200 ") == true else {
                throw TestFailure("an upload was answered with \(answer.first ?? "nothing")")
            }
            let taken = try stream.read(RawStream.contentLength(of: answer) ?? 0)
            guard String(decoding: taken, as: UTF8.self) == String(body.size) else {
                throw TestFailure("an upload of \(body.size) bytes arrived with another length")
            }
        }
    }

    static func head(_ method: String, _ path: String, _ entrance: Way.Entrance, length: Int?) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(entrance.port)"]
        lines += entrance.fields.map { "\($0.name): \($0.value)" }
        if let length { lines.append("Content-Length: \(length)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    private static func measure(
        _ count: Int, _ transfer: @escaping @Sendable () throws -> Void
    ) throws -> Double {
        let failures = Mutex<[String]>([])
        let start = ContinuousClock.now
        let threads = Crew(count) { _ in
            do {
                try transfer()
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        try threads.wait()
        let time = start.duration(to: .now)
        if let failure = failures.withLock({ $0.first }) { throw TestFailure(failure) }
        return time / .seconds(1)
    }
}

/// Threads that do one thing each.
struct Crew {
    private let ended = WaitableCounter()
    private let count: Int

    /// Starts them.
    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        let ended = ended
        for number in 0..<count {
            Thread.detachNewThread {
                body(number)
                ended.add(1)
            }
        }
    }

    /// Waits until all have ended.
    func wait(within limit: Duration = .seconds(300)) throws {
        try ended.wait(for: count, within: limit, what: "the threads of the load")
    }
}
