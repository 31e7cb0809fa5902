import Foundation

/// A line to a port of 127.0.0.1 that carries so many bytes a second from who connects to it, and any number the other
/// way: a house's line upwards. It keeps little itself.
package final class SlowLink: Sendable {
    private let relay: ScriptedOrigin
    package var port: Int { relay.port }

    package init(to port: Int, bytesPerSecond: Int) throws {
        relay = try ScriptedOrigin(limit: .seconds(300), receiveBuffer: 4096) { slow in
            let fast = try StreamSocket(port: port, limit: .seconds(300))
            defer { fast.cut() }
            Thread.detachNewThread {
                while let bytes = try? fast.readSome() {
                    guard (try? slow.socket.write(bytes)) != nil else { break }
                }
                slow.socket.cut()
            }
            while true {
                let bytes = try slow.socket.readSome(upTo: max(256, bytesPerSecond / 20))
                // The time that they take on the line.
                usleep(UInt32(bytes.count * 1_000_000 / bytesPerSecond))
                try fast.write(bytes)
            }
        }
    }
}
