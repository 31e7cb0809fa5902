package import NIOCore

extension TunnelDialler {
    /// Opens a WebSocket that carries a raw stream (`RawMessageReader`) to the service behind a tunnel: as one of its callers.
    ///
    /// - Parameter handler: what speaks with the server once the handshake is done; made on the channel's event loop.
    /// - Throws: `DialError`; `CancellationError` when the task was cancelled before it was open.
    package func dialRaw(
        on eventLoop: any EventLoop, handler: @escaping @Sendable () -> any ChannelHandler
    ) async throws -> any Channel {
        let isOpen = eventLoop.makePromise(of: Void.self)
        let (target, patience) = (self.target, self.answerPatience)
        let connecting = connect(on: eventLoop, isOpen) { pipeline in
            try pipeline.addHandler(
                DialHandler(target: target, patience: patience, isOpen: isOpen, successor: .raw(handler)))
        }
        return try await withTaskCancellationHandler {
            try await isOpen.futureResult.get()
            return try await connecting.get()
        } onCancel: {
            isOpen.fail(CancellationError())
        }
    }
}
