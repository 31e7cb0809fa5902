import HTTPMessage

import struct NIOCore.ByteBuffer

/// One HTTP message of protocol v1 on its way out: kept until it is whole, or until it may have the connection.
struct OutgoingMessage {
    private enum Overflow {
        /// Nothing can be kept outside.
        case none
        case possible
        /// The rest is kept outside.
        case begun
    }

    private static let lastChunk = {
        var bytes = ByteBuffer()
        bytes.writeLastChunk(trailers: nil)
        return bytes
    }()

    private let limits: SessionLimits
    private(set) var waiting = ByteQueue()
    /// Bytes of the message so far, and those that its end takes at least.
    private(set) var totalBytes = RequestNumber.digits
    private var headBytes = 0
    /// Whether nothing more will be added.
    private(set) var isWhole = false
    private var isChunked = false
    /// Whether its first fragment has gone out.
    private(set) var isOpen = false
    /// Whether its sender was asked to wait.
    private(set) var senderWaits = false
    /// Whether it has waited long enough for the rest of itself, or the rest is at hand.
    var isReleased = false
    /// Whether it is meant to be read while it is written.
    private(set) var isLive = false
    private var overflow: Overflow
    /// What lies outside.
    private var bytesElsewhere = 0
    private var capacity: BorrowedCapacity

    init(limits: SessionLimits) {
        self.limits = limits
        self.capacity = BorrowedCapacity(limits: limits)
        self.overflow = limits.v1.maximumSpilledBytes > 0 ? .possible : .none
    }

    var hasHead: Bool { headBytes > 0 }

    /// Whether it may have the connection: it is whole, or no more of it is kept, or it has waited long enough.
    var isReady: Bool { isWhole || isReleased || senderWaits && overflow == .none }

    /// The message with what lies outside.
    var expectedBytes: Int { totalBytes + bytesElsewhere }

    /// - Parameters:
    ///   - isChunked: whether the head says that the body is.
    ///   - contentLength: as the head announces it.
    ///   - isLive: whether it is meant to be read while it is written.
    mutating func begin(
        head: ByteBuffer, isChunked: Bool, isWhole: Bool, contentLength: Int? = nil, isLive: Bool = false
    ) {
        self.isChunked = isChunked
        self.isWhole = isWhole
        self.isLive = isLive
        // What will not fit is not tried.
        if isLive || contentLength ?? 0 > limits.v1.maximumSpilledBytes { overflow = .none }
        headBytes = head.readableBytes
        totalBytes += isChunked && !isWhole ? Self.lastChunk.readableBytes : 0
        add(head)
    }

    /// - Returns: false when the sender should wait.
    mutating func append(_ bytes: ByteBuffer, budget: any ReceiveBudget) -> Bool {
        guard bytes.readableBytes > 0, !isWhole else { return !senderWaits }
        if bytesElsewhere > 0 { bytesElsewhere = max(0, bytesElsewhere - bytes.readableBytes) }
        if isChunked {
            var chunk = ByteBuffer()
            chunk.writeChunkSize(bytes.readableBytes)
            chunk.writeImmutableBuffer(bytes)
            chunk.writeStaticString("\r\n")
            add(chunk)
        } else {
            add(bytes)
        }
        if isOpen {
            let most = budget.isShort ? limits.leastSendHighWater : limits.sendHighWater
            if waiting.count >= most { senderWaits = true }
        } else {
            while !senderWaits, waiting.count >= capacity.bytes { senderWaits = !capacity.grow(budget) }
        }
        return !senderWaits
    }

    /// - Returns: whether from now on the rest is to be kept outside; told once.
    mutating func overflows() -> Bool {
        guard senderWaits, !isOpen, !isReleased, overflow == .possible else { return false }
        overflow = .begun
        return true
    }

    mutating func keptElsewhere(_ count: Int) { bytesElsewhere += count }

    mutating func finish() {
        guard !isWhole else { return }
        isWhole = true
        guard isChunked else { return }
        totalBytes -= Self.lastChunk.readableBytes
        add(Self.lastChunk)
    }

    /// Nothing more will be added, though what was promised is not there: it ends behind what waits.
    mutating func breakOff() { isWhole = true }

    /// Takes what waits, at most so many bytes, yet a whole head: an old peer closes the session if a message breaks
    /// off in it.
    ///
    /// - Returns: whether the sender is to be told that it may go on.
    mutating func take(atMost most: Int, into payload: inout ByteBuffer) -> Bool {
        let limit = isOpen ? most : max(most, headBytes)
        isOpen = true
        waiting.take(atMost: limit, into: &payload)
        guard senderWaits, waiting.count <= limits.sendLowWater else { return false }
        senderWaits = false
        return true
    }

    /// Gives back what was drawn from the budget.
    mutating func release(to budget: any ReceiveBudget) { capacity.release(to: budget) }

    /// Gives back what was drawn from the budget once it is not needed any more: a message on its way keeps little.
    mutating func releaseUnneeded(to budget: any ReceiveBudget) {
        if isOpen, waiting.count <= limits.freeStoredBytes { release(to: budget) }
    }

    private mutating func add(_ bytes: ByteBuffer) {
        totalBytes += bytes.readableBytes
        waiting.append(bytes)
    }
}
