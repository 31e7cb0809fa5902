import Foundation
import Synchronization
import TestSupport

/// Threads that do what nobody should. They come last where the processor is short: what they cost is that of other
/// machines.
enum Attackers {
    /// The last number of the address from which they come, 127.0.0.x: another machine's than that of good callers.
    static let address: UInt32 = 2
    /// The kernel's receive buffer of those that do not read, in bytes.
    static let smallBuffer: Int32 = 4096

    /// Runs them to their end.
    ///
    /// - Throws: what the first that failed has thrown.
    static func run(_ count: Int = 1, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let failure = Mutex<String?>(nil)
        let crew = Crew(count) { number in
            // Of this thread alone (setpriority(2), on Linux).
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
            do {
                try body(number)
            } catch {
                failure.withLock { $0 = $0 ?? "\(error)" }
            }
        }
        try crew.wait()
        if let failure = failure.withLock(\.self) { throw TestFailure("an attacker: \(failure)") }
    }
}

/// So many things a second, from when it was made.
struct Pace {
    private let start = ContinuousClock.now
    private let interval: Duration
    private var count = 0

    init(perSecond: Int) { interval = .nanoseconds(1_000_000_000 / perSecond) }

    /// Waits until the next is due. What was late is made up for.
    mutating func wait() {
        count += 1
        let pause = ContinuousClock.now.duration(to: start + interval * count) / .microseconds(1)
        if pause > 1000 { usleep(UInt32(pause)) }
    }
}

/// What tunnel clients say, written apart from the program: `Sources/TunnelProtocol` has the meaning.
enum TunnelWire {
    /// The opening handshake.
    ///
    /// - Parameters:
    ///   - client: the value of `X-Tunnel-Client`.
    ///   - isOld: protocol v1.
    static func handshake(
        _ token: String, port: Int, client: String? = nil, password: String? = nil, isOld: Bool = false
    ) -> String {
        var lines = [
            "GET /_tunnel HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: \(token)",
        ]
        if !isOld { lines.append("Sec-WebSocket-Protocol: wstunnel.v2") }
        if let client { lines.append("X-Tunnel-Client: \(client)") }
        if let password {
            lines.append("Authorization: Basic \(Data("\(token):\(password)".utf8).base64EncodedString())")
        }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// A masked frame (RFC 6455 §5.2) of 64 KiB at most.
    static func frame(_ payload: [UInt8], opcode: UInt8 = 2) -> [UInt8] {
        let mask: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
        let length = payload.count
        var bytes: [UInt8] = [0x80 | opcode]
        bytes +=
            length < 126 ? [0x80 | UInt8(length)] : [0x80 | 126, UInt8(length >> 8), UInt8(length & 0xff)]
        return bytes + mask + payload.indices.map { payload[$0] ^ mask[$0 & 3] }
    }

    /// The frame of a mux without flags, on the session itself.
    static func mux(_ kind: UInt32, _ payload: [UInt8]) -> [UInt8] {
        bigEndian(UInt32(payload.count) << 12 | kind) + bigEndian(0) + payload
    }

    /// SETTINGS in a message: version 2, a thousand streams, 2 GiB of each request before more is granted.
    static let settings: [UInt8] = frame(
        mux(0, [(1, 2), (2, 1000), (3, 0x7fff_ffff)].flatMap { [0, $0.0, 0, 4] + bigEndian($0.1) }))

    /// Sixty-four PINGs of the mux in a message, of 1 KiB.
    static let pings: [UInt8] = frame((0..<64).flatMap { _ in mux(7, [0, 0, 0, 0, 0, 0, 0, 1]) })

    /// Sixty-four pings of the WebSocket, for protocol v1.
    static let oldPings: [UInt8] = (0..<64).flatMap { _ in frame([0, 0, 0, 0, 0, 0, 0, 1], opcode: 9) }

    private static func bigEndian(_ number: UInt32) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}

extension RawStream {
    /// Asks a tunnel server for a session.
    ///
    /// - Returns: the status of its answer.
    mutating func shakeHands(_ handshake: String) throws -> Int {
        try write(handshake)
        let words = try readHead().first?.split(separator: " ") ?? []
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// Opens a session, which is of protocol v2 and has said its SETTINGS unless it is an old one.
    init(
        sessionOf token: String, port: Int, client: String? = nil, isOld: Bool = false,
        receiveBuffer: Int32? = nil
    ) throws {
        try self.init(port: port, from: Attackers.address, receiveBuffer: receiveBuffer)
        do {
            let status = try shakeHands(TunnelWire.handshake(token, port: port, client: client, isOld: isOld))
            guard status == 101 else { throw TestFailure("a session was refused with \(status)") }
            if !isOld { try write(TunnelWire.settings) }
        } catch {
            close()
            throw error
        }
    }
}

/// How often which status was the answer to what.
final class StatusCounter: Sendable {
    private struct Key: Hashable {
        let what: String
        let status: Int
    }
    private let counts = Mutex<[Key: Int]>([:])

    func add(_ what: String, _ status: Int) {
        counts.withLock { $0[Key(what: what, status: status), default: 0] += 1 }
    }

    func count(_ what: String, _ status: Int) -> Int {
        counts.withLock { $0[Key(what: what, status: status), default: 0] }
    }

    /// All of them of one kind.
    func count(_ what: String) -> Int {
        counts.withLock { counts in counts.filter { $0.key.what == what }.values.reduce(0, +) }
    }
}
