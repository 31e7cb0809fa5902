import GoCommands
import Testing

/// What is wiped out of the process listing.
@Suite struct SecretArgumentsTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let arguments: [String]
        /// The arguments as they are shown afterwards.
        let shown: [String]
        var testDescription: String { arguments.joined(separator: " ") }

        init(_ arguments: String, _ shown: String) {
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.shown = shown.split(separator: " ").map(String.init)
        }
    }

    @Test(arguments: [
        Example("cli -token hunter2 -server http://x", "cli -token *** -server http://x"),
        Example("cli --token=hunter2:pass -insecure", "cli --token=*** -insecure"),
        Example("cli -token x", "cli -token *"), Example("cli -token=xy", "cli -token=**"),
        Example("srv -port 80 -passwords a:b,c:d", "srv -port 80 -passwords ***"),
        Example("srv -robowhois hunter2", "srv -robowhois ***"),
        Example("cli -tunnel wss://u:p@h/x -token t", "cli -tunnel wss://***@h/x -token *"),
        Example("cli -tunnel=ws://u@h", "cli -tunnel=ws://*@h"),
        Example("cli -proxy user:hunter2@proxy:3128", "cli -proxy ***@proxy:3128"),
        Example("cli -proxy http://u:p@q@proxy", "cli -proxy http://***@proxy"),
        Example("cli -server http://u:p@h", "cli -server http://***@h"),
        Example("cli -tunnel wss://h -proxy proxy", "cli -tunnel wss://h -proxy proxy"),
        // However broken the line is.
        Example("cli -password hunter2", "cli -password ***"),
        Example("cli -nonsense -- surplus -token hunter2", "cli -nonsense -- surplus -token ***"),
        Example("cli -server -token hunter2", "cli -server -token ***"),
        Example("cli -token -token hunter2", "cli -token *** ***"),
        Example("cli -token", "cli -token"),
        Example("whois hunter2 192.0.2.1", "whois *** 192.0.2.1"),
        Example("whois 192.0.2.1", "whois 192.0.2.1"),
        Example("whois -server w hunter2 192.0.2.1", "whois -server w *** 192.0.2.1"),
        Example(
            "explain GET http://a/_token/hunter2/x -H X-Token:hunter2 --header=Cookie:a",
            "explain GET http://a/_token/*** -H X-Token:*** --header=Cookie:*"),
        Example("explain GET http://a/ --header @file -c f", "explain GET http://a/ --header @file -c f"),
        Example("check --config token", "check --config token"),
        Example("--config -token x", "--config -token x"),
        Example("", ""),
    ]) func secretsAreMaskedAndNothingElse(_ example: Example) {
        var shown = example.arguments
        for (index, text) in SecretArguments.masked(example.arguments) {
            #expect(text.utf8.count <= shown[index].utf8.count)
            shown[index] = text
        }
        #expect(shown == example.shown)
    }
}
