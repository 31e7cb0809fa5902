import Glibc
import GoCommands
import HostSystem
import NIOCore
import SystemPackage

/// Why a whois server could not be asked.
enum WhoisConnectionError: Error, CustomStringConvertible {
    case noSuchHost
    case system(Errno)

    var description: String {
        switch self {
        case .noSuchHost: "there is no such host"
        case .system(.timedOut): "no answer within 10 s"
        case .system(let failure): failure.description
        }
    }
}

/// One question to one whois server (RFC 3912): a line, then everything until the server closes.
enum WhoisConnection {
    private static let timeLimit = Duration.seconds(10)

    /// - Returns: the answer, cut at `WhoisReply.sizeLimit`.
    static func ask(_ host: String, _ port: Int, for question: String) throws(WhoisConnectionError) -> [UInt8]
    {
        let deadline = ContinuousClock.now + timeLimit
        guard let addresses = SystemNames.addresses(of: host) else { throw .noSuchHost }
        var failure = WhoisConnectionError.noSuchHost
        for var address in addresses {
            address.port = port
            do throws(Errno) {
                let socket = try connect(to: address, deadline)
                return try exchange(socket, Array("\(question)\r\n".utf8), deadline)
            } catch {
                failure = .system(error)
            }
        }
        throw failure
    }

    private static func connect(
        to address: SocketAddress, _ deadline: ContinuousClock.Instant
    ) throws(Errno) -> OwnedDescriptor {
        let socket = try SocketCalls.open(address.protocol == .inet6 ? AF_INET6 : AF_INET)
        let result = address.withSockAddr { Glibc.connect(socket.number, $0, socklen_t($1)) }
        if result == 0 { return socket }
        guard errno == EINPROGRESS else { throw .latest }
        try wait(for: POLLOUT, on: socket.number, deadline)
        let code = try SocketCalls.option(SO_ERROR, of: socket.number)
        guard code == 0 else { throw Errno(rawValue: code) }
        return socket
    }

    private static func exchange(
        _ socket: borrowing OwnedDescriptor, _ question: [UInt8], _ deadline: ContinuousClock.Instant
    ) throws(Errno) -> [UInt8] {
        // A line fits into an empty socket's buffer.
        guard send(socket.number, question, question.count, CInt(MSG_NOSIGNAL)) == question.count else {
            throw .latest
        }
        var answer: [UInt8] = []
        while answer.count < WhoisReply.sizeLimit {
            try wait(for: POLLIN, on: socket.number, deadline)
            guard let chunk = try socket.read() else { break }
            answer += chunk
        }
        return Array(answer.prefix(WhoisReply.sizeLimit))
    }

    private static func wait(
        for event: CInt, on socket: CInt, _ deadline: ContinuousClock.Instant
    ) throws(Errno) {
        while true {
            let left = deadline - .now
            guard left > .zero else { throw .timedOut }
            var entry = pollfd(fd: socket, events: Int16(event), revents: 0)
            let milliseconds =
                left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
            let ready = poll(&entry, 1, CInt(milliseconds) + 1)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw .latest }
        }
    }
}
