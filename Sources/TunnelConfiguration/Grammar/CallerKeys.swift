import HTTPMessage

/// The keys of `callers`: who may call, and what becomes of the requests.
enum CallerKeys {
    static let callers = KeyDeclaration(
        "callers", .mapping(.callers), "Who may call, and what becomes of their requests.")

    // Where callers come from.
    static let allowFrom = KeyDeclaration(
        "allow-from", .addresses, "IP addresses and ranges that may call; by default all.")
    static let allowFromFile = ScalarKey<String?>.optional(
        "allow-from-file", .path, "A file with more of them, a line each.", TextRule.path)
    static let denyFrom = KeyDeclaration(
        "deny-from", .addresses, "IP addresses and ranges that may not, whatever allow-from says.")
    static let denyFromFile = ScalarKey<String?>.optional(
        "deny-from-file", .path, "A file with more of them, a line each.", TextRule.path)

    // Who they are.
    static let users = KeyDeclaration(
        "users", .secrets, "Users who may log in (Basic), as name:hash; wstunnel hash makes one.")
    static let usersFile = ScalarKey<String?>.optional(
        "users-file", .path, "A file with name:hash on each line, as htpasswd -B writes it.", TextRule.path)
    static let bearer = KeyDeclaration(
        "bearer", .secrets, group: "bearer",
        "Secrets of which Authorization: Bearer may bring one, 16 characters or more each.")
    static let bearerFile = ScalarKey<String?>(
        declaration: KeyDeclaration(
            "bearer-file", .path, group: "bearer", "A file with such a secret on each line."),
        defaultValue: nil, parse: { value throws(ValueFault) in try TextRule.path(value.text) })
    static let bearerCommand = KeyDeclaration(
        "bearer-command", .command, group: "bearer",
        "Program and arguments; the first line of the output is such a secret.")
    static let anonymous = ScalarKey<Bool>.boolean(
        "anonymous", default: false, "true: nobody has to log in here, whatever wider rules say.")
    static let certificates = ScalarKey<CertificateDemand?>.optionalChoice(
        "client-certificates", "Whether callers show a certificate; none: not here, whatever wider rules say."
    )
    static let certificateNames = KeyDeclaration(
        "client-name", .texts,
        "The name in the caller's certificate, such as phone-*; one of several is enough.")

    // What they may ask for.
    static let methods = KeyDeclaration(
        "methods", .texts, "The methods that requests may have; GET brings HEAD along.")
    static let maxBody = ScalarKey<Int?>.byteCount(
        "max-body", 0...1 << 50, "The longest body of a request, such as 10MiB.")

    // What becomes of the requests.
    static let headers = KeyDeclaration(
        "headers", .mapping(.callerHeaders), "Fields that requests and answers gain and lose.")
    static let requestID = ScalarKey<Bool?>(
        declaration: KeyDeclaration(
            "request-id", .boolean,
            "Whether each request gets an X-Request-Id, for the origin, the caller and the access log."),
        defaultValue: nil, parse: { value throws(ValueFault) in try ValueRule.boolean(value) })
    static let maintenance = KeyDeclaration(
        "maintenance", .switchOrMapping(.maintenance),
        "true, or how: callers get an answer of the server's in place of the tunnel's.")

    // headers
    static let requestHeaders = KeyDeclaration(
        "request", .mapping(.fieldChanges), "Of requests, before the origin gets them.")
    static let responseHeaders = KeyDeclaration(
        "response", .mapping(.fieldChanges), "Of answers, before the caller gets them.")
    static let setFields = KeyDeclaration(
        "set", .fields, "Names and values of fields, in place of what came under these names.")
    static let addFields = KeyDeclaration(
        "add", .fields, "Names and values of fields that are added to what came.")
    static let removeFields = KeyDeclaration("remove", .texts, "Names of fields that are taken away.")

    // maintenance
    static let status = ScalarKey<Int>.integer(
        "status", 400...599, default: 503, "The status of the answer.")
    static let page = ScalarKey<String?>.optional(
        "file", .path, "What it shows: .html, .json or a text.", TextRule.path)
    static let retryAfter = ScalarKey<Duration?>(
        declaration: KeyDeclaration(
            "retry-after", .duration(.seconds(1) ... .seconds(30 * 86_400)),
            "When trying again makes sense, as Retry-After says, 1s to 720h."),
        defaultValue: nil,
        parse: { value throws(ValueFault) in
            try ValueRule.duration(value, .seconds(1) ... .seconds(30 * 86_400))
        })

    /// What `client-certificates` may say.
    enum CertificateDemand: String, CaseIterable {
        case none
        case required
    }

    static let all = [
        allowFrom, allowFromFile.declaration, denyFrom, denyFromFile.declaration, users,
        usersFile.declaration, bearer, bearerFile.declaration, bearerCommand, anonymous.declaration,
        certificates.declaration, certificateNames, methods, maxBody.declaration, headers,
        requestID.declaration, maintenance,
    ]

}
