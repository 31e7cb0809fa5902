import NIOCore
import NIOEmbedded
import TunnelProtocol

@testable import TunnelTransport

/// A carrier without a WebSocket, a socket or a channel: what one end writes lies here until the test has the other take it.
final class MemoryCarrier: SessionCarrier {
    private enum Item {
        case piece(ByteBuffer, endsMessage: Bool)
        case question
        case answer
        case outputEnd
    }

    let session: any Session
    weak var other: MemoryCarrier?
    /// How many pieces it takes before the other end takes some.
    var room = Int.max
    private(set) var ends: [SessionEnd] = []
    private var written: [Item] = []
    private var flushed: [Item] = []
    private var hasClosedOutput = false

    init(_ session: any Session) { self.session = session }

    var isWritable: Bool { written.count + flushed.count < room }
    var pieceBytes: Int { 4 << 10 }
    var progress: CarrierProgress? { nil }
    func makePiece() -> FrameBuffer { FrameBuffer(capacity: 0) }

    func write(_ piece: consuming FrameBuffer, as output: SessionOutput) {
        switch output {
        case .message(_, let isLast): written.append(.piece(piece.buffer, endsMessage: isLast))
        case .question: written.append(.question)
        }
    }

    func flush() {
        flushed += written
        written = []
    }

    func resume() { takeAll() }

    func closeOutput() {
        hasClosedOutput = true
        flushed.append(.outputEnd)
    }

    func close(after end: SessionEnd) { ends.append(end) }

    /// Takes what the other end has flushed, until the session is blocked.
    ///
    /// - Returns: whether there was any.
    func deliver() -> Bool {
        guard let other, !other.flushed.isEmpty, session.state < .over, !session.isBlocked else {
            return false
        }
        session.beginsToReceive(now: .now)
        takeAll()
        session.hasReceived()
        other.session.becameWritable()
        return true
    }

    private func takeAll() {
        var work = Int.max
        while let other, !session.isBlocked, session.state < .over, !other.flushed.isEmpty {
            switch other.flushed.removeFirst() {
            case .piece(let bytes, let endsMessage):
                if !hasClosedOutput {
                    session.received(bytes, endsMessage: endsMessage, now: .now, work: &work)
                }
            case .question: flushed.append(.answer)
            case .answer: session.wasAnswered(now: .now)
            case .outputEnd: session.carrierEnded(.closedByPeer(code: 1001))
            }
        }
        session.isHeld = session.isBlocked
    }
}

/// A server's and a client's session that talk to each other through memory.
final class MemoryPair {
    let loop = EmbeddedEventLoop()
    let serverOwner = RecordingOwner()
    let clientOwner: RecordingOwner
    let server: MemoryCarrier
    let client: MemoryCarrier

    /// - Parameter taker: takes every stream.
    init(isOld: Bool, taker: RecordingReceiver) {
        clientOwner = RecordingOwner { session, id in session.accept(id, receiver: taker) }
        (server, client) = (
            MemoryCarrier(Self.session(.opener, isOld, serverOwner)),
            MemoryCarrier(Self.session(.acceptor, isOld, clientOwner))
        )
        server.other = client
        client.other = server
        for carrier in [server, client] { carrier.session.carrierOpened(carrier, on: loop) }
        run()
    }

    private static func session(_ role: SessionRole, _ isOld: Bool, _ owner: RecordingOwner) -> any Session {
        isOld
            ? MessageSession(
                role: role, limits: SessionLimits(), peer: "test", budget: ProcessReceiveBudget(),
                numbering: role == .opener ? CountedNumbers() : nil, owner: owner)
            : MuxSession(
                role: role, limits: SessionLimits(),
                settings: SessionSettings(
                    maximumStreams: 10, initialWindow: 0, software: "test", tunnelName: "\(role)"),
                budget: ProcessReceiveBudget(), owner: owner)
    }

    /// Lets everything happen that can.
    func run() {
        repeat { loop.run() } while server.deliver() || client.deliver()
    }
}
