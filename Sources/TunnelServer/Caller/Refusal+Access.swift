import AgentStatus
import HTTPMessage
import Routing
import TunnelConfiguration

extension Refusal {
    static let addressNotAllowed = Refusal(403, "Not allowed from this address", .addressNotAllowed)
    static let callerNotAllowed = Refusal(
        403, "The name in the client certificate may not call here", .certificateRequired)
    static let tooManyFailedLogins = Refusal(
        429, "Too many wrong passwords from this address: this one was not looked at", .throttled,
        retryAfter: 10)
    static let loginsBusy = Refusal(503, "Too many logins at once", .tooBusy, retryAfter: 1)

    static func bodyTooLarge(limit: Int) -> Refusal {
        Refusal(413, "The request's body is larger than max-body (\(limit) bytes)", .requestTooLarge)
    }
}

extension AccessRefusal {
    /// For metrics.
    var code: ErrorCode {
        switch self {
        case .addressNotAllowed: .addressNotAllowed
        case .certificateMissing, .certificateNotAllowed: .certificateRequired
        case .methodNotAllowed: .methodNotAllowed
        case .bodyTooLarge: .requestTooLarge
        case .loginRequired: .loginRequired
        case .maintenance: .maintenance
        }
    }
}

extension OwnAnswer {
    private static let realm = "realm=\"wstunnel\""

    /// What a caller gets that is not let in.
    ///
    /// - Parameter isShort: whether it is to be a line in any case.
    init(_ error: AccessRefusal, isShort: Bool) {
        switch error {
        case .addressNotAllowed: self = Refusal.addressNotAllowed.answer
        case .certificateMissing: self = Refusal.certificateRequired.answer
        case .certificateNotAllowed: self = Refusal.callerNotAllowed.answer
        case .bodyTooLarge(let limit): self = Refusal.bodyTooLarge(limit: limit).answer
        case .methodNotAllowed(let methods):
            self.init(405, line: "The method is not allowed here")
            append(named: "Allow", methods.text)
        case .loginRequired(let demand):
            self.init(401, line: demand.wasWrong ? "Wrong name, password or token" : "Please log in")
            // Browsers take the first one that they know.
            if demand.takesUsers { append(.wwwAuthenticate, "Basic \(Self.realm), charset=\"UTF-8\"") }
            if demand.takesBearers {
                let fault = demand.wasWrong ? ", error=\"invalid_token\"" : ""
                append(.wwwAuthenticate, "Bearer \(Self.realm)\(fault)")
            }
        case .maintenance(let answer):
            if let page = answer.page, !isShort {
                self.init(answer.status, text: page.text, as: page.type)
            } else {
                self.init(answer.status, line: "Down for maintenance: please come back later")
            }
            if let retryAfter = answer.retryAfter {
                append(.retryAfter, String(max(1, retryAfter.components.seconds)))
            }
        }
    }
}
