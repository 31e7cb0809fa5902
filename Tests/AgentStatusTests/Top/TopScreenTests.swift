import Testing

@testable import AgentStatus

/// What is drawn, for any size.
@Suite struct TopScreenTests {
    @Test func aTableIsDrawn() {
        var state = TopWorld.state(TopWorld.agent(tunnels: 2))
        state.take(TopWorld.agent(requests: 20, bytes: 2048, tunnels: 2), at: 2000)
        let lines = TopWorld.lines(state, 121, 9).map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }
        #expect(
            lines == [
                "1 problem, 1 server, 2 tunnels: wstunnel 1, process 1, for 1m40s",
                "30 requests/s, 2.0 KiB/s, 4 shown",
                "NAME*                     STATE       SESSIONS    REQ/S    BYTES/S   FLIGHT  WHERE                  LAST FAULT",
                "\u{1b}[7mserver public             listening          2       10    2.0 KiB        1  127.0.0.1:80                                \u{1b}[0m",
                "< home                    up                 2       10          -        0  public < ::1",
                "away                      connecting       0/1      0.0        0 B        -  ws://server.example.…  3s unreachable: refu…",
                "shop                      connected        1/1       20        0 B        -  ws://server.example.…",
                "",
                "q quit  / filter  Enter details  p pause  sort: n name s state r requests b bytes f in flight",
            ])
    }

    /// Nothing of a name reaches the terminal that does something to it, and no line is wider than it is.
    @Test(arguments: [1, 7, 20, 33, 80, 200]) func linesFitAnyTerminal(width: Int) {
        for (height, keys) in [(1, ""), (2, ""), (5, "/e"), (24, ""), (24, "p"), (10, "jjjj\n"), (3, "j\n")] {
            let lines = TopWorld.lines(TopWorld.state(keys: keys), width, height)
            #expect(lines.count == height, "\(height) \(keys)")
            for line in lines {
                let shown = line.replacing("\u{1b}[7m", with: "").replacing("\u{1b}[0m", with: "")
                #expect(DisplayWidth.of(shown) <= width, "\(line)")
                #expect(!shown.unicodeScalars.contains { $0.isDeceptive }, "\(line)")
            }
        }
    }

    @Test func detailsHaveTheLatestEventsOfTheOne() {
        var state = TopWorld.state(keys: "jj\n")
        let events = (1...30).map { number in
            var event = AgentEvent(
                .dialFailed, tunnel: number % 2 == 0 ? "away" : "other", code: "unreachable",
                message: "number \(number)\u{1b}[2J")
            event.at = Int64(number) * 1000
            return event
        }
        state.take(events)
        let lines = TopWorld.lines(state, 100, 16)
        #expect(lines.contains("last fault  3s unreachable: refused?"))
        #expect(lines.contains { $0.hasPrefix("token       abcdefgh...") })
        #expect(lines.contains { $0.hasPrefix("1m10s    dial-failed") && $0.contains("number 30?[2J") })
        #expect(!lines.contains { $0.contains("number 29") } && lines.last == "Esc back  p pause  q quit")
        state.take(TopWorld.agent(tunnels: 0), at: 1)
        #expect(TopWorld.lines(state).contains("it is gone"))
    }

    @Test func aFileGetsPlainLines() {
        let text = TopScreen.plainText(of: TopWorld.state(TopWorld.agent(tunnels: 300)), time: "T")
        #expect(text.hasPrefix("T 1 problem, 1 server, 300 tunnels: "))
        #expect(text.split(separator: "\n").count == 203 && text.hasSuffix("\nand 102 more\n"))
        #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}"))
        #expect(TopScreen.plainText(of: TopState(), time: "T") == "T waiting for the agent\n")
    }

    @Test(arguments: [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("店店", 4, "店店"), ("店店", 3, "店…"), ("店店", 2, "…"),
        ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"), ("👩x", 3, "👩x"), ("a\u{1b}[2J", 9, "a?[2J"),
        ("x", 0, ""),
    ])
    func textsAreCutToColumns(text: String, columns: Int, cut: String) {
        let shown = text.cut(toColumns: columns)
        #expect(DisplayWidth.of(shown) <= columns)
        #expect(shown == cut)
        #expect(DisplayWidth.of(text.fitted(toColumns: columns)) == columns)
    }
}
