import Testing

@testable import AgentStatus

/// What keys and snapshots do.
@Suite struct TopStateTests {
    private func names(_ state: TopState) -> [String] { state.rows.map { String($0.name.prefix(4)) } }

    @Test func ratesComeFromTwoSnapshots() {
        var state = TopWorld.state(TopWorld.agent(requests: 100, bytes: 1000))
        #expect(state.rows.allSatisfy { $0.requestRate == nil && $0.byteRate == nil })
        state.take(TopWorld.agent(requests: 120, bytes: 5000, pending: 3), at: 2000)
        #expect(state.rows[0].requestRate == 10 && state.rows[0].byteRate == 4000)
        // What waits and what is carried.
        #expect(state.rows[0].inFlight == 4 && state.rows[1].inFlight == 3)
        #expect(state.rows[1].requestRate == 10 && state.rows[1].byteRate == nil)
        // An agent that has begun anew counts from nothing.
        state.take(TopWorld.agent(requests: 7, processID: 2), at: 4000)
        #expect(state.rows.allSatisfy { $0.requestRate == nil })
        state.take(TopWorld.agent(requests: 5, processID: 2), at: 6000)
        #expect(state.rows[0].requestRate == nil)
    }

    @Test func rowsAreSortedByEachColumn() {
        var state = TopWorld.state()
        #expect(names(state) == ["publ", "home", "away", "shop", "weib"])
        state.take(TopWorld.agent(requests: 10, bytes: 5, pending: 2), at: 1000)
        for (key, first) in [("r", "shop"), ("b", "publ"), ("s", "away"), ("f", "publ"), ("n", "publ")] {
            #expect(state.press(.character(Character(key))) == nil)
            #expect(names(state).first == first, "\(key)")
        }
    }

    @Test func theFilterTakesWhatIsTyped() {
        var state = TopWorld.state(keys: "/SHqp")
        #expect(state.mode == .filtering && state.rows.isEmpty && state.filter == "SHqp")
        for _ in 0..<2 { _ = state.press(.backspace) }
        #expect(names(state) == ["shop"])
        _ = state.press(.enter)
        #expect(state.mode == .table && names(state) == ["shop"])
        _ = state.press(.escape)
        #expect(state.filter.isEmpty && state.rows.count == 5)
        for _ in 0..<100 { state = TopWorld.state(keys: "/" + String(repeating: "x", count: 100)) }
        #expect(state.filter.count == 64)
        #expect(names(TopWorld.state(keys: "/connecting")) == ["away"])
    }

    @Test func theDisplayIsPausedAndKeepsToldFaults() {
        var state = TopWorld.state(keys: "p")
        state.take(TopWorld.agent(tunnels: 1), at: 1000)
        #expect(state.rows.count == 5 && state.isPaused)
        _ = state.press(.character("p"))
        state.take(TopWorld.agent(tunnels: 1), at: 2000)
        #expect(state.rows.count == 3)
        state.fail("no agent runs there")
        #expect(TopWorld.lines(state)[0] == "no agent runs there")
        state.take(TopWorld.agent(tunnels: 1), at: 3000)
        #expect(state.fault == nil)
    }

    @Test func theSelectionStaysWithItsRowAndOnTheScreen() {
        var state = TopWorld.state(TopWorld.agent(tunnels: 100))
        _ = TopScreen.lines(of: &state, width: 80, height: 10, hasColour: false)
        _ = state.press(.end)
        #expect(state.selected == 101)
        #expect(TopWorld.lines(state, 80, 10)[8].contains("weib"))
        _ = state.press(.pageUp)
        _ = state.press(.up)
        let chosen = state.rows[state.selected].id
        state.take(TopWorld.agent(requests: 5, tunnels: 99), at: 1000)
        #expect(state.rows[state.selected].id == chosen)
        _ = state.press(.home)
        #expect(state.selected == 0 && state.first == 0)
        for _ in 0..<3 { _ = state.press(.character("j")) }
        _ = state.press(.character("k"))
        #expect(state.selected == 2)
        state.take(TopWorld.agent(tunnels: 0), at: 2000)
        #expect(state.rows.count == 2 && state.selected <= 1)
    }

    @Test func keysThatEndAndStop() {
        var state = TopState()
        #expect(state.press(.enter) == nil && state.mode == .table)
        #expect(state.press(.character("q")) == .quit)
        #expect(state.press(.interrupt) == .quit)
        #expect(state.press(.suspend) == .suspend)
        _ = state.press(.character("/"))
        #expect(state.press(.character("q")) == nil && state.press(.interrupt) == .quit)
    }

    @Test func detailsAreOfTheSelectedAndWantEvents() {
        var state = TopWorld.state(keys: "jj\n")
        #expect(state.mode == .details(TopRow.ID(kind: .tunnel, name: "away")) && state.showsEvents)
        #expect(state.press(.character("n")) == nil)
        _ = state.press(.escape)
        #expect(state.mode == .table && !state.showsEvents)
    }

    @Test func keysAreReadInPieces() {
        var reader = TopKeyReader()
        #expect(
            reader.read(Array("a\u{1b}[A\u{1b}OB\u{1b}[5~\u{1b}[H\u{1b}[99;5~é\r\u{7f}\u{3}".utf8)) == [
                .character("a"), .up, .down, .pageUp, .home, .character("é"), .enter, .backspace, .interrupt,
            ])
        #expect(reader.read([0x1b]).isEmpty && reader.read(Array("[B".utf8)) == [.down])
        // Nothing comes behind it: the key itself.
        #expect(reader.read([0x1b]).isEmpty && reader.read([], isQuiet: true) == [.escape])
        #expect(reader.read([0xc3]).isEmpty && reader.read([0xa4]) == [.character("ä")])
        #expect(reader.read([0xff, 0x61]) == [.character("a")])
        #expect(reader.read(Array("\u{1b}[".utf8) + Array(repeating: 0x30, count: 40)).isEmpty)
        #expect(reader.read(Array("x".utf8)) == [.character("x")])
    }
}
