import HTTPMessage
import NIOCore
import NameResolution
import TunnelProtocol

// Opening a session of the long-poll carrier.
extension TunnelDialler {
    /// Opens one session.
    ///
    /// - Throws: `DialError`; `CancellationError` when the task was cancelled before the session was open.
    func dialLongPoll(
        on eventLoop: any EventLoop, makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) async throws -> any Channel {
        let opened = eventLoop.makePromise(of: (any Channel).self)
        let isOpen = eventLoop.makePromise(of: Void.self)
        // Not before it is known that no session came of it: one that is open is its owner's.
        isOpen.futureResult.whenFailure { error in
            opened.fail(error)
            opened.futureResult.whenSuccess { $0.close(promise: nil) }
        }
        opened.futureResult.whenFailure { isOpen.fail($0) }
        let (target, patience) = (self.target, self.patience)
        eventLoop.execute {
            LongPollOpening(self, on: eventLoop, opened).begin { channel in
                guard let tls = target.innerTLS else {
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketCarrier(makeSession(.v2), isMasked: false))
                    return isOpen.succeed()
                }
                try channel.addInnerTLS(tls, target: target.inside, patience: patience, isOpen, makeSession)
            }
        }
        return try await withTaskCancellationHandler {
            try await isOpen.futureResult.get()
            return try await opened.futureResult.get()
        } onCancel: {
            isOpen.fail(CancellationError())
        }
    }

    /// Makes a connection for a handler, or tells it that there is none. Called on the event loop.
    func connect(_ connection: PollConnection, on eventLoop: any EventLoop) {
        let isOpen = eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        isOpen.futureResult.whenFailure { bound.value.failed($0) }
        connect(on: eventLoop, isOpen) { try $0.addHandler(bound.value) }.whenSuccess { channel in
            channel.closeFuture.whenComplete { _ in isOpen.succeed() }
        }
    }
}

/// The first request of a session: says who we are, and brings its name. Used on one event loop.
private final class LongPollOpening {
    typealias AddHandlers = (PipeChannel) throws -> Void

    private let dialler: TunnelDialler
    private let eventLoop: any EventLoop
    private let opened: EventLoopPromise<any Channel>
    private let connection = PollConnection()
    private var head: ResponseHead?
    private var quote: RefusalQuote?
    private var body = ByteBuffer()
    private var timer: Scheduled<Void>?

    init(_ dialler: TunnelDialler, on eventLoop: any EventLoop, _ opened: EventLoopPromise<any Channel>) {
        self.dialler = dialler
        self.eventLoop = eventLoop
        self.opened = opened
    }

    private var target: TunnelDialler.Target { dialler.target }

    func begin(_ addHandlers: @escaping AddHandlers) {
        let frame = LongPollFrame(LongPollHead(number: 0)).encoded
        var fields = target.outerFields
        if target.innerTLS != nil { fields.append(named: LongPollHTTP.innerField, LongPollHTTP.innerTLS) }
        let head = LongPollHTTP.head(to: target, bodyBytes: frame.readableBytes, fields: fields)
        connection.send(head, body: frame) { self.happened($0, addHandlers) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        opened.futureResult.whenFailure { _ in bound.value.connection.close() }
        dialler.connect(connection, on: eventLoop)
    }

    private func waitForAnswer() {
        timer = eventLoop.assumeIsolated().scheduleTask(in: dialler.answerPatience) {
            self.fail(DialError(.timedOut, "the tunnel server did not answer"))
        }
    }

    private func happened(_ event: PollConnection.Event, _ addHandlers: AddHandlers) {
        switch event {
        case .sent: waitForAnswer()
        case .head(let head):
            self.head = head
            quote = try? RefusalQuote(head, requestMethod: "POST")
        case .body(let bytes):
            quote?.take(decoded: bytes)
            if body.readableBytes < LongPollHead.bytes { body.writeImmutableBuffer(bytes) }
        case .end: answered(addHandlers)
        case .failed(let error as DialError): fail(error)
        case .failed(is PollConnection.Cut):
            fail(DialError(.unreachable, "the connection was closed before the first answer"))
        case .failed(let error as HTTPMessageError):
            fail(DialError(.notATunnelServer, "what answers there does not speak HTTP: \(error)"))
        case .failed(let error): fail(DialError(.unreachable, ConnectionFailure.describe(error)))
        }
    }

    private func answered(_ addHandlers: AddHandlers) {
        guard let head, let quote else { return }
        if head.status == 407, let words = target.plainProxy?.words(ofAuthentication: 407) {
            return fail(DialError(.proxyRejected, words, isRefusal: true))
        }
        guard head.status == 200 else { return fail(quote.dialError) }
        var decoder = LongPollDecoder()
        guard case .head(let frame)? = try? decoder.next(&body), frame.number == 0,
            let session = head.fields.first(named: LongPollHTTP.sessionField), session.utf8.count <= 64
        else {
            let words = quote.plainWords.isEmpty ? "" : ": \(quote.plainWords)"
            return fail(
                DialError(
                    .notATunnelServer, "something in between answered in place of the tunnel server\(words)"))
        }
        timer?.cancel()
        let (dialler, eventLoop) = (dialler, eventLoop)
        let link = LongPollClientLink(
            to: target, session: session, on: eventLoop, first: connection, tellForeign: dialler.tellForeign
        ) { dialler.connect($0, on: eventLoop) }
        do {
            opened.succeed(try link.open(addHandlers))
        } catch {
            fail(DialError(.unreachable, ConnectionFailure.describe(error)))
        }
    }

    private func fail(_ error: DialError) {
        timer?.cancel()
        opened.fail(error.through(target.proxy))
    }
}
