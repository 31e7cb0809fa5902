import BenchmarkReport
import Foundation
import TestSupport

/// A few tunnel clients that never read.
enum FewSilentPeers: Neighbours {
    static let word = "silent-peers-30"
    static let summary =
        "beside 30 tunnel clients of v2 and v1 that send pings and never read, each with an upload"
    static func attack(_ place: Neighbourhood) throws { try SilentPeers(count: 30).attack(place) }
}

/// Many of them.
enum ManySilentPeers: Neighbours {
    static let word = "silent-peers-1000"
    static let summary = "the same with 1,000"
    static func attack(_ place: Neighbourhood) throws { try SilentPeers(count: 1000).attack(place) }
}

/// Tunnel clients that make the server keep things for them: answers to pings, and what callers upload. By the count of
/// them, not by the rate: uploads come at 32 MB/s in all, pings at 4 MB/s.
private struct SilentPeers {
    /// Of an upload: more than is kept of one in memory.
    private static let uploadSize = 6 << 20
    let count: Int

    private struct Peer {
        let token: String
        var session: RawStream
        var caller: RawStream
        var pings: [UInt8]
        /// Where in the pings it is.
        var offset = 0
        var left = uploadSize
        var isCutOff = false
    }

    func attack(_ place: Neighbourhood) throws {
        let (server, span) = (place.server, max(place.span, 8))
        let (wanted, letIn, cutOff, sent) = (
            count, WaitableCounter(), WaitableCounter(), WaitableCounter()
        )
        try Attackers.run { _ in
            var peers: [Peer] = []
            defer {
                for peer in peers {
                    peer.session.abort()
                    peer.caller.abort()
                }
            }
            var pace = Pace(perSecond: 500)
            for number in 0..<wanted {
                pace.wait()
                let (token, isOld) = ("evil-token-of-silence-\(number)", number % 2 == 1)
                let session = try? RawStream(
                    sessionOf: token, port: server.port, isOld: isOld,
                    receiveBuffer: Attackers.smallBuffer)
                guard let session else { continue }
                let caller = try RawStream(port: server.port, from: Attackers.address)
                peers.append(
                    Peer(
                        token: token, session: session, caller: caller,
                        pings: isOld ? TunnelWire.oldPings : TunnelWire.pings))
            }
            let count = peers.count
            letIn.add(count)
            guard count > 0 else { return }
            try server.waitForTunnels(count + 1)
            for peer in peers {
                let entrance = Neighbourhood.entrance(of: peer.token, at: server)
                try peer.caller.write(Transfer.head("POST", "/", entrance, length: Self.uploadSize))
            }
            // A hundred rounds a second over a part of them, so that a round is short.
            pace = Pace(perSecond: 100)
            let share = min(count, 50)
            let piece = [UInt8](repeating: 0x5a, count: 320_000 / share)
            for round in 0..<(100 * span) {
                pace.wait()
                for index in 0..<share {
                    let number = (round * share + index) % count
                    sent.add(Self.press(&peers[number], piece, pings: 40_000 / share))
                }
            }
            cutOff.add(peers.filter(\.isCutOff).count)
        }
        place.record(Double(letIn.value), "peers that were let in")
        place.record(Double(sent.value) / 1e6, "sent to those that do not read", "MB")
        place.record(Double(cutOff.value), "of them cut off")
    }

    /// - Returns: how many bytes went.
    private static func press(_ peer: inout Peer, _ piece: [UInt8], pings: Int) -> Int {
        guard !peer.isCutOff else { return 0 }
        var sent = 0
        if peer.left > 0, let count = peer.caller.writeSome(piece.prefix(peer.left)) {
            peer.left -= count
            sent += count
        }
        while sent < piece.count + pings {
            let rest = peer.pings[peer.offset...].prefix(pings)
            guard let count = peer.session.writeSome(rest) else {
                peer.isCutOff = true
                return sent
            }
            peer.offset = (peer.offset + count) % peer.pings.count
            sent += count
            if count < rest.count || count == 0 { break }
            if sent >= pings { break }
        }
        return sent
    }
}
