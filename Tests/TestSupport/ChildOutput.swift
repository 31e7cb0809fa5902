import Foundation

/// What a child process has written to one of its outputs so far; can be waited for.
package final class ChildOutput: @unchecked Sendable {
    // Guarded by `condition`.
    private var received: [UInt8] = []
    private var completeLines: [String] = []
    private var lineStart = 0
    private var isAtEnd = false
    private let condition = NSCondition()

    init() {}

    /// Everything so far.
    package var bytes: [UInt8] { condition.withLock { received } }
    /// Everything so far as text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }
    /// The lines that are complete, without their newlines.
    package var lines: [String] { condition.withLock { completeLines } }

    /// Waits for a line that holds all the texts, and gives it. Lines that are there already count.
    ///
    /// - Parameters:
    ///   - start: how many lines to pass over, to wait for a new one: take `lines.count` beforehand.
    /// - Throws: `TestFailure` with all the output when the time is up, or the output ends, first.
    @discardableResult
    package func waitForLine(
        containing texts: String..., from start: Int = 0, within limit: Duration = .seconds(20)
    ) throws -> String {
        try waitForLine(from: start, within: limit, what: "a line with \(texts)") { line in
            texts.allSatisfy(line.contains)
        }
    }

    /// Waits for a line that the condition holds for.
    @discardableResult
    package func waitForLine(
        from start: Int = 0, within limit: Duration = .seconds(20), what: String,
        where isWanted: (String) -> Bool
    ) throws -> String {
        let deadline = Date(timeIntervalSinceNow: limit.inSeconds)
        return try condition.withLock {
            var next = start
            while true {
                while next < completeLines.count {
                    if isWanted(completeLines[next]) { return completeLines[next] }
                    next += 1
                }
                if isAtEnd || !condition.wait(until: deadline) {
                    let reason = isAtEnd ? "the output ended" : "\(limit) passed"
                    throw TestFailure(
                        "waited for \(what); \(reason). Output:\n\(String(decoding: received, as: UTF8.self))"
                    )
                }
            }
        }
    }

    /// Waits until the child, and whoever inherited its output, has closed it.
    package func waitForEnd(within limit: Duration = .seconds(20)) throws {
        let deadline = Date(timeIntervalSinceNow: limit.inSeconds)
        try condition.withLock {
            while !isAtEnd {
                guard condition.wait(until: deadline) else {
                    throw TestFailure("the output did not end within \(limit)")
                }
            }
        }
    }

    /// Reads the descriptor to its end on a thread of its own, and closes it.
    func startReading(_ descriptor: Int32) {
        Thread.detachNewThread { [self] in
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(descriptor, &chunk, chunk.count)
                if count > 0 {
                    take(chunk[..<count])
                } else if count == 0 || errno != EINTR {
                    break
                }
            }
            close(descriptor)
            condition.withLock {
                isAtEnd = true
                condition.broadcast()
            }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        condition.withLock {
            received.append(contentsOf: bytes)
            while let newline = received[lineStart...].firstIndex(of: UInt8(ascii: "\n")) {
                completeLines.append(String(decoding: received[lineStart..<newline], as: UTF8.self))
                lineStart = newline + 1
            }
            condition.broadcast()
        }
    }
}
