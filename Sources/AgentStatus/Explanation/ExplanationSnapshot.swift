/// What would become of a request, step by step.
package struct ExplanationSnapshot: Codable, Hashable, Sendable {
    /// One thing that a request meets, in the order in which it meets them.
    package struct Step: Codable, Hashable, Sendable {
        /// What it is about, a word.
        package var subject: Subject
        package var words: String
        /// Where the configuration says so, as far as it is one place: `servers[public].hosts`.
        package var key: String?
        /// Whether the request ends here.
        package var isEnd: Bool

        package init(_ subject: Subject, _ words: String, key: String? = nil, isEnd: Bool = false) {
            self.subject = subject
            self.words = words
            self.key = key
            self.isEnd = isEnd
        }
    }

    package enum Subject: String, Codable, Hashable, Sendable, CaseIterable {
        /// Which server it comes to.
        case server
        /// What the connection has to be: TLS, a PROXY header.
        case connection
        /// Who calls.
        case caller
        case ban
        /// Whether it is HTTP.
        case request
        /// What its path is for.
        case route
        /// The host name that leads to a token.
        case name
        case token
        case certificate
        /// Of callers: addresses, methods, maintenance and so on.
        case rules
        case login
        case body
        /// Requests and bytes that an address, name or token may have.
        case limits
        /// Which fields the origin gets.
        case fields
        /// Whether a session takes it.
        case tunnel
        case origin
        /// What a file cannot tell.
        case agent
    }

    package enum Verdict: String, Codable, Hashable, Sendable, CaseIterable {
        /// It goes to the tunnel.
        case carried
        /// The server has an answer of its own, which is no refusal.
        case answered
        case refused
        /// The connection does not come about, or ends without an answer.
        case closed
    }

    package struct Outcome: Codable, Hashable, Sendable {
        package var verdict: Verdict
        /// Of our own answer; nil where there is none, or the origin says it.
        package var status: Int?
        /// Of our own answer the line that the caller gets.
        package var words: String
        /// The limit that was met, as `X-Limit` says it.
        package var limit: String?
        /// Seconds, as `Retry-After` says it.
        package var retryAfter: Int?
        /// Further fields of our own answer that matter: `Location`, `Allow`, `WWW-Authenticate`.
        package var fields: [ExplanationQuery.Field]

        package init(
            _ verdict: Verdict, status: Int? = nil, _ words: String, limit: String? = nil,
            retryAfter: Int? = nil, fields: [ExplanationQuery.Field] = []
        ) {
            self.verdict = verdict
            self.status = status
            self.words = words
            self.limit = limit
            self.retryAfter = retryAfter
            self.fields = fields
        }
    }

    /// What it was found out by.
    package enum Source: String, Codable, Hashable, Sendable, CaseIterable {
        case file, agent
    }

    package var source: Source
    /// Method and URL, tokens cut.
    package var request: String
    /// The server's name; nil where none has the request.
    package var server: String?
    package var steps: [Step]
    package var outcome: Outcome

    package init(
        source: Source, request: String, server: String? = nil, steps: [Step], outcome: Outcome
    ) {
        self.source = source
        self.request = request
        self.server = server
        self.steps = steps
        self.outcome = outcome
    }

    /// Whether the request gets what it asks for, as far as the server is concerned.
    package var isServed: Bool { outcome.verdict == .carried || outcome.verdict == .answered }

    /// With a change of each text: for what must not be shown.
    package func mapped(_ change: (String) -> String) -> ExplanationSnapshot {
        var mapped = self
        mapped.request = change(request)
        for index in steps.indices { mapped.steps[index].words = change(steps[index].words) }
        mapped.outcome.words = change(outcome.words)
        for index in outcome.fields.indices {
            mapped.outcome.fields[index].value = change(outcome.fields[index].value)
        }
        return mapped
    }
}
