package import AgentStatus
import Glibc
import Routing
import Synchronization
package import TunnelProtocol
import TunnelTransport
import X509

/// Which tokens the servers of an agent do not serve. What it knows outlives a change of the configuration.
package final class BlockedTokens: Sendable {
    private struct State: Sendable {
        var list = TokenBlockList()
        var salt = (0..<16).map { _ in UInt8.random(in: .min ... .max) }

        func digest(_ token: RendezvousToken) -> [UInt8] { SHA256.hash(salt + Array(token.secret.utf8)) }
    }

    private let state = Mutex(State())
    /// Whether any block may be in force: all that is asked while there is none.
    private let areAny = Atomic<Bool>(false)

    package init() {}

    func contains(_ token: RendezvousToken) -> Bool {
        guard areAny.load(ordering: .acquiring) else { return false }
        return state.withLock { $0.list.contains($0.digest(token), now: .now) }
    }

    /// - Parameters:
    ///   - duration: nil for until it is unblocked.
    ///   - by: who asked for it, for people.
    /// - Returns: nil where there is no room.
    package func block(_ token: RendezvousToken, for duration: Duration?, by: String) -> BlockedTokenSnapshot?
    {
        let now = MonotonicInstant.now
        let block = TokenBlockList.Block(
            hint: token.hint, tag: ConnectedToken.tag(of: token), since: time(nil),
            end: duration.map { now.advanced(by: $0) }, by: by)
        let hasRoom = state.withLock { state in
            let hasRoom = state.list.add(block, state.digest(token), now: now)
            areAny.store(!state.list.isEmpty, ordering: .releasing)
            return hasRoom
        }
        return hasRoom ? BlockedTokenSnapshot(block, now: now) : nil
    }

    /// - Returns: whether it was blocked.
    package func unblock(_ token: RendezvousToken) -> Bool {
        change { $0.list.lift($0.digest(token), now: .now) }
    }

    /// Unblocks the tokens that are shown so; all where nothing is said.
    ///
    /// - Returns: how many there were.
    package func unblock(hint: String?, tag: String?) -> Int {
        change { $0.list.lift(hint: hint, tag: tag, now: .now) }
    }

    private func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        state.withLock { state in
            let value = body(&state)
            areAny.store(!state.list.isEmpty, ordering: .releasing)
            return value
        }
    }

    /// Those that are in force, in the order in which they came.
    package var all: [BlockedTokenSnapshot] {
        let now = MonotonicInstant.now
        return state.withLock { $0.list.all(now: now) }.map { BlockedTokenSnapshot($0.block, now: now) }
    }

    /// How many are in force.
    package var count: Int {
        let now = MonotonicInstant.now
        return state.withLock { $0.list.count(now: now) }
    }

    // MARK: From one agent to the next

    /// What a successor has to know.
    package var succession: (salt: String, blocked: [SuccessionSnapshot.BlockedToken]) {
        let now = MonotonicInstant.now
        return state.withLock { state in
            let blocked = state.list.all(now: now).map {
                SuccessionSnapshot.BlockedToken(
                    digest: Hexadecimal.text(of: $0.digest), block: BlockedTokenSnapshot($0.block, now: now))
            }
            return (Hexadecimal.text(of: state.salt), blocked)
        }
    }

    /// Goes on where another agent has ended. Before anything is blocked here: all digests have one salt.
    package func takeOver(_ succession: SuccessionSnapshot) {
        guard !succession.blocked.isEmpty, let salt = Hexadecimal.bytes(of: succession.salt) else { return }
        let now = MonotonicInstant.now
        change { state in
            guard state.list.isEmpty else { return }
            state.salt = salt
            for token in succession.blocked.prefix(TokenBlockList.most) {
                guard let digest = Hexadecimal.bytes(of: token.digest) else { continue }
                let end = token.block.secondsLeft.map { now.advanced(by: .seconds($0)) }
                _ = state.list.add(
                    TokenBlockList.Block(
                        hint: token.block.tokenHint, tag: token.block.tokenTag, since: token.block.since,
                        end: end, by: token.block.by),
                    digest, now: now)
            }
        }
    }
}

extension BlockedTokenSnapshot {
    fileprivate init(_ block: TokenBlockList.Block, now: MonotonicInstant) {
        let left = block.end.map { $0.since(now).components.seconds }
        self.init(
            tokenHint: block.hint, tokenTag: block.tag, since: block.since,
            secondsLeft: left.map { Int($0) + 1 }, by: block.by)
    }
}

/// Bytes as text, two digits each.
private enum Hexadecimal {
    static func text(of bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil where the text is not so.
    static func bytes(of text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[start..<start + 2], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
