import FoundationEssentials
import HTTPMessage
import NIOCore

/// A request that an `AdminOperation` answers.
struct AdminQuestion: Sendable {
    let head: RequestHead
    let body: ByteBuffer
    /// What stands in the path where the operation's has `{name}`, by that name.
    private(set) var captures: [String: String] = [:]
    /// Parameters of the query, the first of each name.
    let parameters: [String: String]
    /// Who asks, for people.
    var asker = "unknown"

    /// Nil where the query has a broken escape.
    init?(_ head: RequestHead, _ body: ByteBuffer) {
        self.head = head
        self.body = body
        let query = head.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            .dropFirst()
        var parameters: [String: String] = [:]
        for part in query.first?.split(separator: "&") ?? [] {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(pair[0]), let value = Self.decoded(pair.count > 1 ? pair[1] : "")
            else { return nil }
            if parameters[name] == nil { parameters[name] = value }
        }
        self.parameters = parameters
    }

    /// The same, for an operation of that path: nil where it is another's.
    func matching(_ template: String) -> AdminQuestion? {
        let path = head.target.prefix { $0 != "?" }.split(separator: "/", omittingEmptySubsequences: false)
        let pattern = template.split(separator: "/", omittingEmptySubsequences: false)
        guard path.count == pattern.count else { return nil }
        var question = self
        for (segment, wanted) in zip(path, pattern) {
            if wanted.hasPrefix("{") {
                guard !segment.isEmpty, let value = PercentEncoding.decode(segment) else { return nil }
                question.captures[String(wanted.dropFirst().dropLast())] = value
            } else if segment != wanted {
                return nil
            }
        }
        return question
    }

    /// The body's JSON; nil where it is none of that.
    func body<Value: Decodable>(_ type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }

    /// As forms write it: `+` is a space.
    private static func decoded(_ text: Substring) -> String? {
        PercentEncoding.decode(String(text.map { $0 == "+" ? " " : $0 }))
    }
}
