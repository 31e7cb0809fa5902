import HTTPMessage
import Testing

struct WebSocketAcceptTests {
    @Test(arguments: [
        // RFC 6455 §1.3
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        ("", "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="),
    ]) func keysAreAnsweredAsTheStandardHasIt(key: String, accept: String) {
        #expect(WebSocketAccept.value(forKey: key) == accept)
    }

    @Test(arguments: 0..<130) func keysOfAnyLengthAreAnswered(length: Int) {
        #expect(WebSocketAccept.value(forKey: String(repeating: "a", count: length)).utf8.count == 28)
    }
}
