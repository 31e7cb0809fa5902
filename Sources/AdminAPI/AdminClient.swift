package import AgentStatus
import FoundationEssentials
import Glibc
import HTTPMessage
import NIOCore

/// Asks an agent over its control socket. Waits for the answer: not for event loops.
package struct AdminClient: Sendable {
    private let path: String

    /// - Parameter path: of the agent's control socket.
    package init(socketPath path: String) { self.path = path }

    package func status() throws(AdminClientError) -> AgentSnapshot {
        try ask("GET", "/api/status", AgentSnapshot.self)
    }

    package func plan() throws(AdminClientError) -> PlanReport {
        try ask("GET", "/api/plan", PlanReport.self)
    }

    /// Returns when the reload is over.
    package func reload() throws(AdminClientError) -> ReloadSnapshot {
        try ask("POST", "/api/reload", ReloadSnapshot.self)
    }

    /// Has the agent give up what only one process can have, and finish.
    package func handOver() throws(AdminClientError) {
        _ = try ask("POST", "/api/handover", [String: String].self)
    }

    /// Secrets are read anew by a plan and a reload, each by a command that may take ten seconds.
    private static let patienceSeconds = 600
    private static let mostAnswerBytes = 256 << 20

    private func ask<Answer: Decodable>(
        _ method: String, _ target: String, _ type: Answer.Type
    ) throws(AdminClientError) -> Answer {
        let socket = try Self.connect(to: path)
        defer { close(socket) }
        let length = method == "POST" ? "Content-Length: 0\r\n" : ""
        try Self.write("\(method) \(target) HTTP/1.1\r\nHost: wstunnel\r\n\(length)\r\n", to: socket)
        let body = try Self.readAnswer(from: socket)
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            let refusal = try? JSONDecoder().decode([String: String].self, from: Data(body))
            throw AdminClientError(refusal?["error"].map { .refused($0) } ?? .nonsense)
        }
    }

    private static func connect(to path: String) throws(AdminClientError) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw AdminClientError(.unreachable(ENAMETOOLONG))
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw AdminClientError(.unreachable(errno)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(socket, $0, size) == 0 }
        }
        guard isConnected else {
            let code = errno
            close(socket)
            throw AdminClientError(.unreachable(code))
        }
        var limit = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return socket
    }

    private static func write(_ text: String, to socket: CInt) throws(AdminClientError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw AdminClientError(.brokeOff) }
            rest = rest.dropFirst(count)
        }
    }

    /// The body, which ends with the connection.
    private static func readAnswer(from socket: CInt) throws(AdminClientError) -> [UInt8] {
        var buffer = ByteBuffer()
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while buffer.readableBytes <= mostAnswerBytes {
            let count = read(socket, &chunk, chunk.count)
            if count == 0 { break }
            guard count > 0 || errno == EINTR else {
                throw AdminClientError(errno == EAGAIN ? .timedOut : .brokeOff)
            }
            buffer.writeBytes(chunk[..<max(0, count)])
        }
        var reader = ResponseHeadReader()
        guard let head = try? reader.next(&buffer), let length = try? head.fields.contentLength(),
            length == buffer.readableBytes
        else { throw AdminClientError(buffer.readableBytes == 0 ? .brokeOff : .nonsense) }
        return Array(buffer.readableBytesView)
    }
}

/// Why an agent did not answer.
package struct AdminClientError: Error, Sendable, CustomStringConvertible {
    package enum Reason: Sendable, Equatable {
        /// What `connect` failed with: no agent listens there, or it is not ours.
        case unreachable(CInt)
        case timedOut
        /// It ended before it answered.
        case brokeOff
        /// What came is no answer of an agent of this version.
        case nonsense
        /// In the agent's words.
        case refused(String)
    }

    package let reason: Reason

    init(_ reason: Reason) { self.reason = reason }

    /// Whether no agent runs there.
    package var isNobodyThere: Bool {
        reason == .unreachable(ENOENT) || reason == .unreachable(ECONNREFUSED)
            || reason == .unreachable(ENOTDIR)
    }

    package var description: String {
        switch reason {
        case .unreachable(ENOENT), .unreachable(ENOTDIR), .unreachable(ECONNREFUSED):
            "no agent runs with this configuration"
        case .unreachable(EACCES), .unreachable(EPERM):
            "the agent is another user's — ask as that user, or as root"
        case .unreachable(let code): String(cString: strerror(code))
        case .timedOut: "the agent does not answer"
        case .brokeOff: "the agent ended before it answered"
        case .nonsense: "the agent's answer is not understood — is it another version of wstunnel?"
        case .refused(let words): words
        }
    }
}
