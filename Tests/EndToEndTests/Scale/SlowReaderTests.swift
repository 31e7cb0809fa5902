import Foundation
import Synchronization
import TestSupport
import Testing

/// Many callers that ask for much and read nothing: they cost a bounded share of memory, and nobody else's time.
@Suite struct SlowReaderTests {
    private static let readers = 64

    /// Answers with a body that has no end, or a small one.
    private static func makeOrigin() throws -> ScriptedOrigin {
        try ScriptedOrigin(limit: .seconds(60)) { connection in
            while let request = try connection.readRequest() {
                guard request.target == "/endless" else {
                    try connection.respond(text: "small")
                    continue
                }
                try connection.writeHead(200, fields: [("Content-Length", "\(1 << 40)")])
                while true { try connection.socket.write([UInt8](repeating: 0x61, count: 1 << 16)) }
            }
        }
    }

    /// What the kernel holds to be sent on the connections that came to a port of ours.
    private static func unsentBytes(onPort port: Int) throws -> Int {
        let place = ":" + String(format: "%04X", port)
        return try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8).split(separator: "\n")
            .map { $0.split(separator: " ") }
            .filter { $0.count > 4 && $0[1].hasSuffix(place) }
            .reduce(0) { $0 + (Int($1[4].prefix { $0 != ":" }, radix: 16) ?? 0) }
    }

    @Test(.timeLimit(.minutes(1))) func downloadsThatSaturateATunnelHoldUpNobodyAndLittleMemory() throws {
        let origin = try Self.makeOrigin()
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let callers = try (0..<Self.readers).map { _ in
            let caller = try tunnel.connect()
            try caller.send("GET", "/endless", fields: [("X-Token", TunnelPair.token)])
            return caller
        }
        for caller in callers { #expect(try caller.readHead().status == 200) }
        let isOn = Mutex(true)
        let reading = Background {
            var rounds = 0
            while isOn.withLock({ $0 }) {
                for caller in callers { _ = try caller.socket.read(1 << 16) }
                rounds += 1
            }
            return rounds
        }
        for _ in 0..<50 { #expect(try tunnel.exchange("GET", "/small").text == "small") }
        isOn.withLock { $0 = false }
        #expect(try reading.value() > 0)
        let peaks = [
            try tunnel.server.process.peakResidentBytes(), try tunnel.client.process.peakResidentBytes(),
        ]
        #expect(peaks.allSatisfy { $0 < 96 << 20 }, "\(peaks)")
    }

    @Test(.timeLimit(.minutes(1))) func manyReadersThatStoppedHoldUpNobodyAndLittleMemory() throws {
        let origin = try Self.makeOrigin()
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
        // Nor does the kernel keep what nobody reads: by itself it takes megabytes for each.
        let unsent = try Self.unsentBytes(onPort: tunnel.port)
        #expect(unsent < Self.readers << 19, "\(unsent)")
        // Each can still go on.
        for caller in stopped {
            let isRight = try caller.socket.read(1 << 19).allSatisfy { $0 == 0x61 }
            #expect(isRight)
        }
    }
}
