import Testing

@testable import AdminAPI

@Suite struct ServerSentEventTests {
    private static let stream =
        ": a comment\nid: 7\nevent: line\ndata: one\ndata:two\n\n\r\ndata\r\n\r\nid: x\rdata:  a: b\r\rnew: field\nevent: none\n\n"
    private static let events = [
        ServerSentEvent(id: "7", name: "line", data: "one\ntwo"),
        ServerSentEvent(id: "7", name: "message", data: ""),
        ServerSentEvent(id: "x", name: "message", data: " a: b"),
    ]

    /// However the bytes come in pieces.
    @Test(arguments: [1, 2, 3, 7, 1000]) func eventsAreReadFromPieces(size: Int) {
        var reader = ServerSentEventReader()
        var events: [ServerSentEvent] = []
        var rest = Array(Self.stream.utf8)[...]
        while !rest.isEmpty {
            let more = reader.read(rest.prefix(size))
            #expect(more != nil)
            events += more ?? []
            rest = rest.dropFirst(size)
        }
        #expect(events == Self.events)
    }

    @Test func whatIsNotWholeIsNoEvent() {
        var reader = ServerSentEventReader()
        #expect(reader.read(Array("id: 1\ndata: x\n".utf8)) == [])
        #expect(reader.read(Array("\n".utf8))?.count == 1)
    }

    @Test func anEventThatIsTooLongIsRefusedAndManyAreNot() {
        var reader = ServerSentEventReader()
        let event = Array("data: \(String(repeating: "x", count: 1000))\n\n".utf8)
        for _ in 0..<2000 { #expect(reader.read(event)?.count == 1) }
        let line = Array("data: \(String(repeating: "x", count: 1000))\n".utf8)
        #expect((0..<2000).contains { _ in reader.read(line) == nil })
    }
}
