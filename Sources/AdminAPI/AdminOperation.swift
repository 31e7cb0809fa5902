/// One thing that the admin API can be asked: what it looks like on the wire, who may ask it, and how it is answered.
///
/// All of them are in `all`, by which requests are routed and the API describes itself.
struct AdminOperation: Sendable {
    /// Who may ask it.
    enum Audience: Sendable, Equatable {
        /// Who brings a token for that role; over the control socket, whoever can open that.
        case role(AdminRole)
        /// Only who asks over the control socket.
        case controlSocket
    }

    /// Something that the query may say.
    struct Parameter: Sendable {
        let name: String
        /// For people.
        let meaning: String
        var isRequired = false
    }

    let method: String
    /// Segments; `{name}` stands for any one.
    let path: String
    var audience = Audience.role(.look)
    /// What it does, in a line.
    let summary: String
    var parameters: [Parameter] = []
    /// Whether it changes nothing, whatever its method.
    var isQuestion = false
    let answer: @Sendable (AdminQuestion, any AgentControl) async -> AdminReply

    /// Whether the log is told who asked it.
    var isLogged: Bool { method != "GET" && !isQuestion }

    static let all: [AdminOperation] = agent + bans + feeds + actions + metrics + history + logs
}
