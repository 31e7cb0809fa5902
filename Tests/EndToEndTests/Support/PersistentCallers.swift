import TestSupport

/// Callers who ask again and again, each on a thread and with connections of its own, and wait for every answer.
final class PersistentCallers: Sendable {
    private let isOver: Gate
    private let callers: [Background<Void>]

    /// - Parameter status: what each answer has to have; nil for any.
    init(_ count: Int, port: Int, token: String, status: Int? = 200) {
        let isOver = Gate()
        self.isOver = isOver
        callers = (0..<count).map { _ in
            Background {
                while !isOver.isOpen {
                    let caller = try HTTPConnection(port: port, limit: .seconds(60))
                    defer { caller.close() }
                    let answer = try caller.exchange("GET", "/", fields: [("X-Token", token)])
                    guard status == nil || answer.status == status else {
                        throw TestFailure("a caller got \(answer.status)")
                    }
                }
            }
        }
    }

    /// Has them leave with the answers that they wait for.
    ///
    /// - Throws: where one got another answer, or none.
    func stop() throws {
        isOver.open()
        for caller in callers { try caller.value(within: .seconds(60)) }
    }
}
