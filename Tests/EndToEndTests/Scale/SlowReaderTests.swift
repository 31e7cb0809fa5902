import Foundation
import TestSupport
import Testing

/// Many callers that ask for much and read nothing: they cost a bounded share of memory, and nobody else's time.
@Suite struct SlowReaderTests {
    private static let readers = 64

    @Test(.timeLimit(.minutes(1))) func manyReadersThatStoppedHoldUpNobodyAndLittleMemory() throws {
        let origin = try ScriptedOrigin(limit: .seconds(60)) { connection in
            while let request = try connection.readRequest() {
                guard request.target == "/endless" else {
                    try connection.respond(text: "small")
                    continue
                }
                try connection.writeHead(200, fields: [("Content-Length", "\(1 << 40)")])
                while true { try connection.socket.write([UInt8](repeating: 0x61, count: 1 << 16)) }
            }
        }
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let stopped = try (0..<Self.readers).map { _ in
            let caller = try tunnel.connect(receiveBuffer: 16_384)
            try caller.send("GET", "/endless", fields: [("X-Token", TunnelPair.token)])
            return caller
        }
        for caller in stopped { #expect(try caller.readHead().status == 200) }
        // On the very session that carries all of them.
        for _ in 0..<50 { #expect(try tunnel.exchange("GET", "/small").text == "small") }
        let peaks = [
            try tunnel.server.process.peakResidentBytes(), try tunnel.client.process.peakResidentBytes(),
        ]
        #expect(peaks.allSatisfy { $0 < 160 << 20 }, "\(peaks)")
        // Each can still go on.
        for caller in stopped {
            let isRight = try caller.socket.read(1 << 19).allSatisfy { $0 == 0x61 }
            #expect(isRight)
        }
    }
}
