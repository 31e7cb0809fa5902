import BenchmarkReport
import Foundation
import TestSupport

/// Tunnel clients that send as much as the server takes, all of it as small as can be, and read their answers: it is the
/// number of frames that costs, not that of bytes.
enum TinyFrames: Neighbours {
    static let word = "tiny-frames"
    static let summary =
        "beside 20 sessions that flood with pings, answers in pieces of a byte and tiny messages"

    private enum Flood: CaseIterable {
        case muxPings, data, carrierPings, oldMessages

        var isOld: Bool { self == .oldMessages }

        /// Some of it, to be sent again and again; nil where that does not go.
        var piece: [UInt8]? {
            switch self {
            case .muxPings: Array(repeatElement(TunnelWire.pings, count: 60).joined())
            case .carrierPings: Array(repeatElement(TunnelWire.oldPings, count: 70).joined())
            // Of requests that nobody made.
            case .oldMessages: (0..<6000).flatMap { _ in TunnelWire.frame(Array("7cff".utf8)) }
            case .data: nil
            }
        }
    }

    /// Bytes of an answer, each a frame: as many as a stream takes before more is granted.
    private static let answerSize = 16_000

    static func attack(_ place: Neighbourhood) throws {
        let (server, span) = (place.server, max(place.span, 8))
        let (sent, frames, ended) = (WaitableCounter(), WaitableCounter(), WaitableCounter())
        try Attackers.run(20) { number in
            let flood = Flood.allCases[number % Flood.allCases.count]
            let token = "tiny-token-of-neighbours-\(number)"
            var session = try RawStream(sessionOf: token, port: server.port, isOld: flood.isOld)
            defer { session.abort() }
            let end = ContinuousClock.now + .seconds(span)
            if let piece = flood.piece {
                while ContinuousClock.now < end {
                    do {
                        try session.write(piece)
                        while try session.dropSome(1 << 20) > 0 {}
                    } catch {
                        return ended.add(1)
                    }
                    sent.add(piece.count)
                }
                return
            }
            let entrance = Neighbourhood.entrance(of: token, at: server)
            // Once a ping is answered, the SETTINGS before it are read, and requests are handed to the session.
            try session.write(TunnelWire.pings)
            guard session.readUntil(TunnelWire.pong) else { return ended.add(1) }
            var caller = try RawStream(port: server.port, from: Attackers.address)
            defer { caller.abort() }
            for stream: UInt32 in 1... where ContinuousClock.now < end {
                try caller.write(Transfer.head("GET", "/", entrance, length: nil))
                guard session.readUntil(Array("GET /".utf8)) else { return ended.add(1) }
                let answer = TunnelWire.answerInBytes(to: stream, count: answerSize)
                try session.write(answer)
                _ = try caller.readHead()
                _ = try caller.drop(answerSize)
                sent.add(answer.count)
                frames.add(answerSize)
            }
        }
        place.record(Double(sent.value) / 1e6, "sent by the floods", "MB")
        place.record(Double(frames.value), "answers' bytes, a frame each")
        place.record(Double(ended.value), "floods that were ended")
    }
}

extension RawStream {
    /// Drops what comes until these bytes have come.
    ///
    /// - Returns: false where the connection ended before.
    fileprivate func readUntil(_ wanted: [UInt8]) -> Bool {
        var came: [UInt8] = []
        while true {
            guard let more = readAnything() else { return false }
            came += more
            let starts = 0..<max(0, came.count - wanted.count + 1)
            if starts.contains(where: { came[$0...].starts(with: wanted) }) { return true }
        }
    }
}
