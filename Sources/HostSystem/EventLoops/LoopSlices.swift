package import NIOCore

extension EventLoop {
    /// Does something with each of many, with a few at a time: the loop looks at its sockets in between. From any thread.
    package func inSlices<Item: Sendable>(_ items: [Item], _ body: @escaping @Sendable (Item) -> Void) {
        goOn(items[...], body)
    }

    private func goOn<Item: Sendable>(_ items: ArraySlice<Item>, _ body: @escaping @Sendable (Item) -> Void) {
        guard !items.isEmpty else { return }
        execute {
            items.prefix(LoopSlice.length).forEach(body)
            let rest = items.dropFirst(LoopSlice.length)
            guard !rest.isEmpty else { return }
            self.scheduleTask(in: LoopSlice.breather) { self.goOn(rest, body) }
        }
    }
}

private enum LoopSlice {
    static let length = 64
    static let breather: TimeAmount = .milliseconds(1)
}
