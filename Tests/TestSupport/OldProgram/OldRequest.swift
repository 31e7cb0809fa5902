/// A request that came to an old client.
package struct OldRequest: Sendable {
    package let id: Int
    package let head: MessageHead
    package let body: [UInt8]
    /// False when the body ends before it should.
    package let isWhole: Bool

    package var method: String { head.method }
    package var target: String { head.target }

    /// Reads a message's text: one complete HTTP/1.1 request, in every point as the facts have it.
    init(id: Int, text: [UInt8], _ violations: OldViolations) {
        self.id = id
        guard let (head, end) = OldText.head(in: text, violations) else {
            let start = String(decoding: text.prefix(80), as: UTF8.self)
            violations.add("a request without a whole head: \(start)")
            head = MessageHead(startLine: "", fields: [])
            body = []
            isWhole = false
            return
        }
        let parts = head.startLine.split(separator: " ", omittingEmptySubsequences: false)
        violations.expect(
            parts.count == 3 && parts[2] == "HTTP/1.1" && parts[1].hasPrefix("/")
                || head.startLine == "OPTIONS * HTTP/1.1",
            "no request line with a target of the origin form: \(head.startLine)")
        violations.expect(head.values("Host").count == 1, "Host: \(head.values("Host"))")
        violations.expect(head["X-Token"] == nil, "X-Token reached the client")
        OldText.expectNoHopByHop(in: head, violations)
        let framing = OldText.framing(of: head, violations, whenSilent: .none)
        var reader = OldBody(framing, of: "the body of \(head.startLine)", violations)
        self.head = head
        body = reader.take(text[end...])
        isWhole = reader.isWhole
    }
}
