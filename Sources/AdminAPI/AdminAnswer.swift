import AgentStatus
import HTTPMessage

/// The answers of the admin API.
extension OwnAnswer {
    /// To a head or a body that did not come.
    static var adminTimeout: OwnAnswer { adminError(408, "the request did not come in time") }

    /// A value as JSON.
    static func json(_ status: Int, _ value: some Encodable) -> OwnAnswer {
        do {
            return OwnAnswer(status, text: try JSONText.string(of: value), as: .json)
        } catch {
            return OwnAnswer(
                500, text: #"{"error":"the answer cannot be written as JSON"}"#, as: .json)
        }
    }

    /// The same, so that a browser makes nothing of it but what it is, and no page shows it.
    var forNoPage: OwnAnswer {
        var answer = self
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ] where answer.fields.first(named: name) == nil {
            answer.append(named: name, value)
        }
        return answer
    }

    /// - Parameters:
    ///   - words: what is wrong and what to do.
    ///   - allowed: the method that the path takes, for 405.
    static func adminError(_ status: Int, _ words: String, allowed: String? = nil) -> OwnAnswer {
        var answer = json(status, ["error": words])
        if let allowed { answer.append(named: "Allow", allowed) }
        if status == 401 { answer.append(.wwwAuthenticate, "Bearer") }
        return answer
    }
}
