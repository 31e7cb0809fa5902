/// One thing that the admin API can be asked: what it looks like on the wire, who may ask it, and how it is answered.
///
/// All of them are in `all`, by which requests are routed and the API describes itself.
struct AdminOperation: Sendable {
    /// Who may ask it.
    enum Audience: Sendable, Equatable {
        /// Without a token or certificate: it tells no secret and no names.
        case everybody
        /// Who brings a token for that role; over the control socket, whoever can open that.
        case role(AdminRole)
        /// Only who asks over the control socket.
        case controlSocket
    }

    /// Something that the query may say, or the path says.
    struct Parameter: Sendable {
        let name: String
        /// For people.
        let meaning: String
        var isRequired = false
        var schema = AdminSchema.string()
    }

    /// What the body is to be: JSON.
    struct Body: Sendable {
        /// For people.
        let meaning: String
        let schema: AdminSchema
    }

    /// One of the answers that are no refusal in words: those have `{"error": "…"}`.
    struct Response: Sendable {
        var status = 200
        /// For people.
        let meaning: String
        var mediaType = "application/json"
        /// Nil where there is nothing to say of it.
        let schema: AdminSchema?
    }

    let method: String
    /// Segments; `{name}` stands for any one.
    let path: String
    var audience = Audience.role(.look)
    /// What it does, in a line.
    let summary: String
    /// Of the query; others are refused.
    var parameters: [Parameter] = []
    /// Of the path, where there is more to say of one than its name.
    var captures: [Parameter] = []
    /// Nil: what comes is not looked at.
    var body: Body?
    var responses: [Response] = []
    /// Whether it changes nothing, whatever its method.
    var isQuestion = false
    let answer: @Sendable (AdminQuestion, any AgentControl) async -> AdminReply

    static let all: [AdminOperation] =
        agent + health + lists + bans + feeds + logs + history + metrics + diagnostics + old + description
        + actions

    /// Whether the log is told who asked it.
    var isLogged: Bool { method != "GET" && !isQuestion }
}

extension AdminOperation {
    /// What the path says, in its order.
    var pathParameters: [Parameter] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { segment in
            let name = String(segment.dropFirst().dropLast())
            return captures.first { $0.name == name } ?? Parameter(name: name, meaning: "Of the path.")
        }
    }

    /// Why a question for it is none, in words; nil where it is one.
    func fault(in question: AdminQuestion) -> String? {
        for name in question.parameters.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
            let known = parameters.map(\.name).joined(separator: ", ")
            return "the query holds \"\(name.prefix(64))\", which is not known here"
                + (known.isEmpty ? ": leave it out" : ": there are \(known)")
        }
        for parameter in parameters {
            guard let text = question.parameters[parameter.name] else {
                if parameter.isRequired { return "\"\(parameter.name)\" is missing in the query" }
                continue
            }
            guard parameter.schema.accepts(text) else {
                return "\"\(parameter.name)\" is to be \(parameter.schema.words)"
            }
        }
        for parameter in pathParameters {
            guard question.captures[parameter.name].map(parameter.schema.accepts) ?? true else {
                return "\"\(parameter.name)\" in the path is to be \(parameter.schema.words)"
            }
        }
        return nil
    }
}

extension AdminSchema {
    /// That of a type; of one that cannot be described, `anything`: a test looks that there is none.
    static func json<Value: Decodable>(_ type: Value.Type) -> AdminSchema { (try? of(type)) ?? .anything }
}
