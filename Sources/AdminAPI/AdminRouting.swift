import HTTPMessage
import NIOCore

/// Which operation a request to the admin API is for, and whether who asks may.
enum AdminRouting {
    case operation(AdminOperation, AdminQuestion)
    /// Answered as it stands.
    case refused(OwnAnswer)

    /// - Parameters:
    ///   - role: of who asks; nil for nobody.
    ///   - isLocal: whether it came over the control socket.
    init(_ head: RequestHead, _ body: ByteBuffer, role: AdminRole?, isLocal: Bool) {
        guard let role else {
            self = .refused(
                .adminError(401, "the token is missing or wrong: Authorization: Bearer TOKEN"))
            return
        }
        guard let question = AdminQuestion(head, body) else {
            self = .refused(.adminError(400, "the query has a % without two hexadecimal digits behind it"))
            return
        }
        let candidates = AdminOperation.all.filter { $0.audience != .controlSocket || isLocal }
            .compactMap { operation in question.matching(operation.path).map { (operation, $0) } }
        guard !candidates.isEmpty else {
            self = .refused(
                .adminError(404, "there is nothing at this path: /api/openapi.json lists what there is"))
            return
        }
        guard let (operation, question) = candidates.first(where: { $0.0.method == head.method }) else {
            let allowed = candidates.map(\.0.method).joined(separator: ", ")
            self = .refused(.adminError(405, "use \(allowed)", allowed: allowed))
            return
        }
        if case .role(let wanted) = operation.audience, role < wanted {
            self = .refused(
                .adminError(
                    403, "the token may \(role.rawValue): this asks for one that may \(wanted.rawValue)"))
            return
        }
        self = .operation(operation, question)
    }
}
