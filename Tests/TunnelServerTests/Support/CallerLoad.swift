import Synchronization
import TestSupport

/// Callers that connect, ask once and leave, again and again, until they are told to stop.
final class CallerLoad: Sendable {
    struct Result: Sendable {
        var answers = 0
        var failures: [String] = []
        /// From the connection on, of the slowest answer.
        var longest = Duration.zero
    }

    private let port: Int
    private let target: String
    private let fields: [(String, String)]
    private let isOver = Atomic<Bool>(false)
    private let result = Mutex(Result())
    private let gone = WaitableCounter()
    private let answered = WaitableCounter()
    private let callers: Int

    init(port: Int, target: String = "/_health_check", fields: [(String, String)] = [], callers: Int = 2) {
        self.port = port
        self.target = target
        self.fields = fields
        self.callers = callers
        for _ in 0..<callers {
            Task {
                try await onThread {
                    while !self.isOver.load(ordering: .acquiring) { self.askOnce() }
                    self.gone.add(1)
                }
            }
        }
    }

    /// Waits for so many more answers.
    func answers(_ count: Int) async throws {
        let goal = answered.value + count
        try await onThread {
            try self.answered.wait(for: goal, within: .seconds(20), what: "answers to the callers")
        }
    }

    func stop() async throws -> Result {
        isOver.store(true, ordering: .releasing)
        try await onThread {
            try self.gone.wait(for: self.callers, within: .seconds(30), what: "the callers to leave")
        }
        return result.withLock { $0 }
    }

    private func askOnce() {
        let begun = ContinuousClock.now
        do {
            let caller = try HTTPConnection(port: port)
            let answer = try caller.exchange("GET", target, fields: fields)
            caller.close()
            let time = ContinuousClock.now - begun
            result.withLock {
                $0.answers += 1
                $0.longest = max($0.longest, time)
                if answer.status != 200 { $0.failures.append("\(answer.status) \(answer.text)") }
            }
        } catch {
            result.withLock { $0.failures.append("\(error)") }
        }
        answered.add(1)
    }
}
