import HTTPMessage
import TunnelConfiguration

extension AccessPolicy {
    /// What the rules ask of a caller and do to its request, each in a few words with the key's; empty for nothing. They
    /// hold no secret, and of fields the names alone.
    package var words: [String] {
        var words: [String] = []
        if !origins.isEmpty { words.append("addresses by allow-from and deny-from") }
        if let certificateNames {
            let names = certificateNames.map(\.text).sorted().joined(separator: ", ")
            words.append("a client certificate" + (names.isEmpty ? "" : " with client-name \(names)"))
        }
        if let maintenance { words.append("maintenance (\(maintenance.status))") }
        if let methods { words.append("methods \(methods.text)") }
        if let logins {
            let demand = logins.demand(wasWrong: false)
            let ways = (demand.takesUsers ? ["users"] : []) + (demand.takesBearers ? ["bearer"] : [])
            words.append("login by \(ways.joined(separator: " or "))")
        }
        if let maximumBody { words.append("max-body \(maximumBody) bytes") }
        if tellsRequestID { words.append("request-id") }
        let request = requestChanges.compactMap(Self.words)
        if !request.isEmpty { words.append("request headers: \(request.joined(separator: ", "))") }
        let response = responseChanges.compactMap(Self.words)
        if !response.isEmpty { words.append("response headers: \(response.joined(separator: ", "))") }
        return words
    }

    private static func words(_ changes: FieldChanges) -> String? {
        let parts = [
            ("set", changes.set.map(\.name)), ("add", changes.added.map(\.name)), ("remove", changes.removed),
        ]
        let words = parts.filter { !$0.1.isEmpty }.map { "\($0.0) \($0.1.joined(separator: ", "))" }
        return words.isEmpty ? nil : words.joined(separator: ", ")
    }
}
