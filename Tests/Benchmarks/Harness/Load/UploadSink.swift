import Foundation
import TestSupport

/// An origin that reads request bodies to their end, answers 200 and costs next to nothing: the kernel drops the bytes
/// without copying them.
final class UploadSink: Sendable {
    let port: Int
    private let socket: HeldSocket

    init() throws {
        let socket = try HeldSocket()
        self.socket = socket
        port = socket.port
        RawStream.accept(from: socket) { near in
            Thread.detachNewThread {
                var stream = near
                try? Self.serve(&stream)
                stream.close()
            }
        }
    }

    deinit { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }

    private static func serve(_ stream: inout RawStream) throws {
        while true {
            let head = try stream.readHead()
            guard let length = RawStream.contentLength(of: head) else {
                throw TestFailure("an upload without a length")
            }
            let dropped = try stream.drop(length)
            try stream.write(
                "HTTP/1.1 200 OK\r\nContent-Length: \(String(dropped).count)\r\n\r\n\(dropped)")
        }
    }
}
