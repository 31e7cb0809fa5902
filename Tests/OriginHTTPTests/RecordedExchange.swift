import Foundation
import HTTPMessage
import NIOCore
import NIOPosix
import OriginHTTP
import TestSupport

/// An exchange on an event loop of its own thread, watched and driven from the test's thread.
final class RecordedExchange: OriginResponseReceiver, @unchecked Sendable {
    let loop: any EventLoop
    // Used on `loop` alone.
    private var exchange: (any OriginExchange)?
    private var hasBegun = false
    private let pausesAtFirstByte: Bool
    // Guarded by `condition`.
    private let condition = NSCondition()
    private var state = State()

    struct State {
        var heads: [ResponseHead] = []
        var framings: [HTTPMessage.BodyFraming] = []
        var body: [UInt8] = []
        var isEnded = false
        var trailers: HeaderFields?
        var error: OriginError?
        var writableCalls = 0
        var calledTooEarly = false
        var calledAfterEnd = false

        var status: Int { heads.last?.status ?? 0 }
        var text: String { String(decoding: body, as: UTF8.self) }
        var isOver: Bool { isEnded || error != nil }
    }

    init(
        _ origin: any Origin, _ request: RequestHead, framing: HTTPMessage.BodyFraming = .none,
        on loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any(),
        isPaused: Bool = false, pausesAtFirstByte: Bool = false
    ) throws {
        self.loop = loop
        self.pausesAtFirstByte = pausesAtFirstByte
        try onLoop {
            let exchange = origin.begin(
                request, framing: framing, host: nil, on: self.loop, receiver: self)
            if isPaused { exchange.pauseReading() }
            self.exchange = exchange
            self.hasBegun = true
        }
    }

    /// A request without a body and its whole response.
    static func get(
        _ origin: any Origin, _ target: String = "/", method: String = "GET",
        fields: HeaderFields = HeaderFields(),
        on loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any()
    ) throws -> State {
        let head = RequestHead(method: method, target: target, fields: fields)
        let exchange = try RecordedExchange(origin, head, on: loop)
        return try exchange.waitForEnd()
    }

    // MARK: Driving

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        try loop.submit(body).wait()
    }

    func send(_ bytes: [UInt8]) throws { try onLoop { self.exchange?.send(ByteBuffer(bytes: bytes)) } }
    func send(_ text: String) throws { try send(Array(text.utf8)) }
    func end(trailers: HeaderFields? = nil) throws { try onLoop { self.exchange?.end(trailers: trailers) } }
    func cancel() throws { try onLoop { self.exchange?.cancel() } }
    func resume() throws { try onLoop { self.exchange?.resumeReading() } }
    func isWritable() throws -> Bool { try onLoop { self.exchange?.isWritable ?? false } }

    // MARK: Watching

    var now: State { condition.withLock { state } }

    @discardableResult
    func waitForEnd() throws -> State { try wait("the end of the response") { $0.isOver } }

    @discardableResult
    func wait(_ what: String, until isMet: (State) -> Bool) throws -> State {
        let deadline = Date(timeIntervalSinceNow: 20)
        return try condition.withLock {
            while !isMet(state) {
                guard condition.wait(until: deadline) else {
                    throw TestFailure(
                        "waited for \(what): status \(state.status), \(state.body.count) bytes, "
                            + "error \(String(describing: state.error))")
                }
            }
            return state
        }
    }

    private func record(_ change: (inout State) -> Void) {
        condition.withLock {
            if !hasBegun { state.calledTooEarly = true }
            if state.isOver { state.calledAfterEnd = true }
            change(&state)
            condition.broadcast()
        }
    }

    func originAnswered(_ head: ResponseHead, framing: HTTPMessage.BodyFraming) {
        record {
            $0.heads.append(head)
            $0.framings.append(framing)
        }
    }

    func originSent(_ bytes: ByteBuffer) {
        if pausesAtFirstByte, now.body.isEmpty { exchange?.pauseReading() }
        record { state in bytes.withUnsafeReadableBytes { state.body.append(contentsOf: $0) } }
    }

    func originEnded(trailers: HeaderFields?) {
        record {
            $0.isEnded = true
            $0.trailers = trailers
        }
    }

    func originFailed(_ error: OriginError) { record { $0.error = error } }
    func originBecameWritable() { record { $0.writableCalls += 1 } }
}

extension ScriptedOrigin {
    /// The origin as the code under test sees it.
    func origin(_ options: HTTPOriginOptions = HTTPOriginOptions()) throws -> HTTPOrigin {
        HTTPOrigin(try OriginAddress(url), options: options)
    }
}
