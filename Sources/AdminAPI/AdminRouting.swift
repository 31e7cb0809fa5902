import HTTPMessage
import NIOCore

/// Which operation a request to the admin API is for, and whether who asks may.
enum AdminRouting {
    case operation(AdminOperation, AdminQuestion)
    /// Answered as it stands.
    case refused(OwnAnswer)

    /// - Parameters:
    ///   - entry: what may become of it.
    ///   - isLocal: whether it came over the control socket.
    init(_ head: RequestHead, _ body: ByteBuffer, _ entry: AdminEntry, isLocal: Bool) {
        do throws(Refused) {
            self = try Self.found(head, body, entry, isLocal: isLocal)
        } catch {
            self = .refused(error.answer)
        }
    }

    private struct Refused: Error { let answer: OwnAnswer }

    private static func found(
        _ head: RequestHead, _ body: ByteBuffer, _ entry: AdminEntry, isLocal: Bool
    ) throws(Refused) -> AdminRouting {
        let question = AdminQuestion(head, body)
        var candidates = candidates(for: question, isLocal: isLocal)
        let role: AdminRole?
        switch entry {
        case .refused(let answer): throw Refused(answer: answer)
        case .admitted(let admitted): role = admitted
        case .stranger(let answer):
            role = nil
            candidates.removeAll { $0.0.audience != .everybody }
            // Not even what there is.
            guard !candidates.isEmpty else { throw Refused(answer: answer) }
        }
        guard question != nil else {
            throw Refused(
                answer: .adminError(400, "the query has a % without two hexadecimal digits behind it"))
        }
        guard !candidates.isEmpty else {
            throw Refused(
                answer: .adminError(
                    404, "there is nothing at this path: /api/openapi.json lists what there is"))
        }
        let method = head.method == "HEAD" ? "GET" : head.method
        guard let (operation, asked) = candidates.first(where: { $0.0.method == method }) else {
            let methods = candidates.map(\.0.method)
            let allowed = (methods + (methods.contains("GET") ? ["HEAD"] : [])).joined(separator: ", ")
            throw Refused(answer: .adminError(405, "use \(allowed)", allowed: allowed))
        }
        if case .role(let wanted) = operation.audience, let role, role < wanted {
            throw Refused(
                answer: .adminError(
                    403, "the token may \(role.rawValue): this asks for one that may \(wanted.rawValue)"))
        }
        if operation.body != nil, let type = head.fields[.contentType], !Self.isJSON(type) {
            throw Refused(answer: .adminError(415, "the body is to be JSON: Content-Type: application/json"))
        }
        if let fault = operation.fault(in: asked) { throw Refused(answer: .adminError(400, fault)) }
        return .operation(operation, asked)
    }

    /// Those of the path. One that is written out goes before one that is so for any name.
    private static func candidates(
        for question: AdminQuestion?, isLocal: Bool
    ) -> [(AdminOperation, AdminQuestion)] {
        guard let question else { return [] }
        let all = AdminOperation.all.filter { $0.audience != .controlSocket || isLocal }
            .compactMap { operation in question.matching(operation.path).map { (operation, $0) } }
        let literal = all.filter { $0.1.captures.isEmpty }
        return literal.isEmpty ? all : literal
    }

    private static func isJSON(_ type: String) -> Bool {
        let name = type.prefix { $0 != ";" && $0 != " " }
        return name.lowercased() == "application/json"
    }
}
