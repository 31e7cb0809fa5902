import Glibc
import GoCommands

/// Why a whois server could not be asked.
enum WhoisConnectionError: Error, CustomStringConvertible {
    case noSuchHost
    case timedOut
    case system(CInt)

    var description: String {
        switch self {
        case .noSuchHost: "there is no such host"
        case .timedOut: "no answer within 10 s"
        case .system(let code): String(cString: strerror(code))
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
        guard let addresses = SocketAddresses(host, port) else { throw .noSuchHost }
        var failure = WhoisConnectionError.noSuchHost
        var next = addresses.first
        while let address = next {
            next = address.pointee.ai_next
            let socket = socket(
                address.pointee.ai_family,
                CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
                    | CInt(SOCK_CLOEXEC.rawValue), 0)
            guard socket >= 0 else {
                failure = .system(errno)
                continue
            }
            defer { close(socket) }
            do throws(WhoisConnectionError) {
                try connect(socket, address, deadline)
                return try exchange(socket, Array("\(question)\r\n".utf8), deadline)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func connect(
        _ socket: CInt, _ address: UnsafeMutablePointer<addrinfo>, _ deadline: ContinuousClock.Instant
    ) throws(WhoisConnectionError) {
        if Glibc.connect(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 { return }
        guard errno == EINPROGRESS else { throw .system(errno) }
        try wait(for: POLLOUT, on: socket, deadline)
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
        guard code == 0 else { throw .system(code) }
    }

    private static func exchange(
        _ socket: CInt, _ question: [UInt8], _ deadline: ContinuousClock.Instant
    ) throws(WhoisConnectionError) -> [UInt8] {
        // A line fits into an empty socket's buffer.
        guard send(socket, question, question.count, CInt(MSG_NOSIGNAL)) == question.count else {
            throw .system(errno)
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while answer.count < WhoisReply.sizeLimit {
            try wait(for: POLLIN, on: socket, deadline)
            let count = recv(socket, &chunk, chunk.count, 0)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw .system(errno)
            }
            answer += chunk[..<count]
        }
        return Array(answer.prefix(WhoisReply.sizeLimit))
    }

    private static func wait(
        for event: CInt, on socket: CInt, _ deadline: ContinuousClock.Instant
    ) throws(WhoisConnectionError) {
        while true {
            let left = deadline - .now
            guard left > .zero else { throw .timedOut }
            var entry = pollfd(fd: socket, events: Int16(event), revents: 0)
            let milliseconds =
                left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
            let ready = poll(&entry, 1, CInt(milliseconds) + 1)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw .system(errno) }
        }
    }
}
