import NIOCore

/// What the exchange under way does to its connection.
extension CallerHandler: CallerConnection {
    var eventLoop: any EventLoop { core.loops[loopIndex] }

    func exchangeBecameWritable() { advance() }

    func exchangeSwitchedProtocols() {
        guard case .exchange(let exchange) = phase else { return }
        phase = .raw(exchange)
        output?.allowHalfClosure()
        advance()
    }

    func exchangeEnded(keepAlive: Bool) {
        restKeeper = nil
        guard context != nil else { return }
        switch phase {
        case .raw:
            closeInOrder()
        default:
            // One that leaves, and had promised to stay before it knew, takes the request that this brings.
            guard keepAlive, !core.isStopping else { return linger() }
            waitForNext()
            advance()
        }
    }

    func exchangeBroke() {
        restKeeper = nil
        phase = .over
        output?.reset()
    }

    func exchangeEndedOutput() {
        hasOutputEnded = true
        output?.shutDownOnceSent()
    }
}
