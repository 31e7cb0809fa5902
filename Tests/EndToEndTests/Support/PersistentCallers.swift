import TestSupport

/// Callers who ask again and again, each on a thread and with connections of its own, and wait for every answer.
final class PersistentCallers: Sendable {
    private let isOver: Gate
    private let callers: [Background<Void>]

    init(_ count: Int, port: Int, token: String) {
        let isOver = Gate()
        self.isOver = isOver
        callers = (0..<count).map { _ in
            Background {
                while !isOver.isOpen {
                    let caller = try HTTPConnection(port: port, limit: .seconds(60))
                    defer { caller.close() }
                    let status = try caller.exchange("GET", "/", fields: [("X-Token", token)]).status
                    guard status == 200 else { throw TestFailure("a caller got \(status)") }
                }
            }
        }
    }

    /// Has them leave with the answers that they wait for.
    ///
    /// - Throws: where one got another answer than 200.
    func stop() throws {
        isOver.open()
        for caller in callers { try caller.value(within: .seconds(60)) }
    }
}
