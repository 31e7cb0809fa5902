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

    func exchangeEnded(keepAlive: Bool, isDelimited: Bool) {
        restKeeper = nil
        guard context != nil else { return }
        switch phase {
        case .raw:
            sayFarewell(.close, isDelimited: isDelimited)
        default:
            // One that leaves, and had promised to stay before it knew, takes the request that this brings.
            guard keepAlive else { return sayFarewell(.linger, isDelimited: isDelimited) }
            staysAWhile()
            if body == nil { waitForNext() } else { takeRest() }
            advance()
        }
    }

    func exchangeBroke(isWhole: Bool, isDelimited: Bool, whenOut: @escaping (Int) -> Void) {
        restKeeper = nil
        guard context != nil else { return whenOut(0) }
        self.whenOut = whenOut
        sayFarewell(isWhole || isDelimited ? .linger : .reset, isDelimited: isDelimited)
    }

    func exchangeEndedOutput() {
        hasOutputEnded = true
        output?.shutDownOnceSent()
    }
}
