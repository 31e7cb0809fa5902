package import AgentStatus
import FoundationEssentials
import Glibc
import HTTPMessage
import HostSystem
import NIOCore
package import SystemPackage

/// Asks an agent over its control socket. Waits for the answer: not for event loops.
package struct AdminClient: Sendable {
    let path: String
    let patience: Duration?

    /// - Parameters:
    ///   - path: of the agent's control socket.
    ///   - patience: how long the agent may be silent; nil for what befits the question.
    package init(socketPath path: String, patience: Duration? = nil) {
        self.path = path
        self.patience = patience
    }

    /// - Parameter tunnel: of the tokens connected to its servers, only those of that name; nil for all. A name holds
    ///   nothing that a URL would need escapes for.
    package func status(ofTunnel tunnel: String? = nil) throws(AdminClientError) -> AgentSnapshot {
        let query = tunnel.map { "?tunnel=\($0)" } ?? ""
        let patience = patience ?? Self.answerPatience
        var snapshot = try ask("GET", "/api/status\(query)", AgentSnapshot.self, patience: patience)
        // One of them may come or go between two pages.
        while snapshot.moreTunnels != nil {
            let page = "limit=\(TunnelSnapshot.most)&offset=\(snapshot.tunnels.count)"
            let list = try ask("GET", "/api/tunnels?\(page)", TunnelList.self, patience: patience)
            snapshot.tunnels += list.tunnels
            if snapshot.tunnels.count >= list.total || list.tunnels.isEmpty { snapshot.moreTunnels = nil }
        }
        return snapshot
    }

    package func plan() throws(AdminClientError) -> PlanReport {
        try ask("GET", "/api/plan", PlanReport.self, patience: patience ?? Self.workPatience)
    }

    package func diagnostics() throws(AdminClientError) -> DiagnosticSnapshot {
        try ask("GET", "/api/diag", DiagnosticSnapshot.self, patience: patience ?? Self.workPatience)
    }

    /// Returns when the reload is over.
    package func reload() throws(AdminClientError) -> ReloadSnapshot {
        try ask("POST", "/api/reload", ReloadSnapshot.self, patience: patience ?? Self.workPatience)
    }

    package func bans() throws(AdminClientError) -> [BanSnapshot] {
        try ask("GET", "/api/bans", [BanSnapshot].self, patience: patience ?? Self.answerPatience)
    }

    /// - Parameter address: as text, or `all`.
    /// - Returns: how many bans were lifted.
    package func unban(_ address: String) throws(AdminClientError) -> Int {
        let answer = try ask(
            "POST", "/api/unban?address=\(address)", [String: Int].self,
            patience: patience ?? Self.answerPatience)
        return answer["lifted"] ?? 0
    }

    /// - Parameter query: may hold secrets: they go no further than the socket.
    package func explain(_ query: ExplanationQuery) throws(AdminClientError) -> ExplanationSnapshot {
        guard let body = try? JSONEncoder().encode(query), body.count <= ExplanationQuery.mostBytes else {
            throw AdminClientError(.refused("the request is longer than what an agent explains (64 KiB)"))
        }
        return try ask(
            "POST", "/api/explain", ExplanationSnapshot.self, body: [UInt8](body),
            patience: patience ?? Self.answerPatience)
    }

    /// - Parameter parameters: of the query, as `/api/history` takes them.
    package func history(
        _ subject: HistoryQuery.Subject, _ parameters: [(name: String, value: String)]
    ) throws(AdminClientError) -> HistoryPage {
        let query = parameters.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }
            .joined(separator: "&")
        return try ask(
            "GET", "/api/history/\(subject.rawValue)" + (query.isEmpty ? "" : "?\(query)"),
            HistoryPage.self, patience: patience ?? Self.answerPatience)
    }

    /// Has the agent give up what only one process can have, and finish.
    package func handOver() throws(AdminClientError) {
        _ = try ask(
            "POST", "/api/handover", [String: String].self, patience: patience ?? Self.answerPatience)
    }

    /// For what a living agent answers at once.
    static let answerPatience: Duration = .seconds(10)
    /// Secrets are read anew by a plan and a reload, each by a command that may take ten seconds.
    static let workPatience: Duration = .seconds(600)
    private static let mostAnswerBytes = 256 << 20

    /// - Parameter refusal: the status beside 200 under which such an answer comes too: a plan or reload that is refused is
    ///   an answer like any other.
    func ask<Answer: Decodable>(
        _ method: String, _ target: String, _ type: Answer.Type, fields more: [(String, String)] = [],
        body: [UInt8] = [], orStatus refusal: Int = 422, patience: Duration
    ) throws(AdminClientError) -> Answer {
        let socket = try Self.connect(to: path, patience)
        let length = method == "POST" ? "Content-Length: \(body.count)\r\n" : ""
        let lines = more.map { "\($0.0): \($0.1)\r\n" }.joined()
        let fields = "Host: wstunnel\r\nConnection: close\r\n\(length)\(lines)"
        let head = "\(method) \(target) HTTP/1.1\r\n\(fields)\r\n"
        try Self.write(Array(head.utf8) + body, to: socket.number)
        let (status, answer) = try Self.readAnswer(from: socket.number)
        if status == 200 || status == refusal,
            let value = try? JSONDecoder().decode(type, from: Data(answer))
        {
            return value
        }
        let refusal = try? JSONDecoder().decode([String: String].self, from: Data(answer))
        throw AdminClientError(refusal?["error"].map { .refused($0) } ?? .nonsense)
    }

    static func connect(
        to path: String, _ patience: Duration
    ) throws(AdminClientError) -> OwnedDescriptor {
        do throws(Errno) {
            guard let address = LocalSocketAddress(path: path) else { throw .fileNameTooLong }
            let socket = try OwnedDescriptor(
                socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0))
            // To connect takes as long as to write: a stuck agent's queue may be full.
            let (seconds, attoseconds) = patience.components
            let limit = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                try SocketCalls.setOption(option, of: socket.number, to: limit)
            }
            try SocketCalls.check(address.withSockaddr { Glibc.connect(socket.number, $0, $1) })
            return socket
        } catch {
            throw AdminClientError(
                error == .resourceTemporarilyUnavailable ? .timedOut : .unreachable(error))
        }
    }

    static func write(_ bytes: [UInt8], to socket: CInt) throws(AdminClientError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 || errno == EINTR else {
                throw AdminClientError(errno == EAGAIN ? .timedOut : .brokeOff)
            }
            rest = rest.dropFirst(max(0, count))
        }
    }

    private static func readAnswer(
        from socket: CInt
    ) throws(AdminClientError) -> (status: Int, body: [UInt8]) {
        var buffer = ByteBuffer()
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        var reader = ResponseHeadReader()
        var head: (status: Int, bodyBytes: Int)?
        while buffer.readableBytes < head?.bodyBytes ?? mostAnswerBytes {
            let count = read(socket, &chunk, chunk.count)
            if count == 0 { break }
            guard count > 0 || errno == EINTR else {
                throw AdminClientError(errno == EAGAIN ? .timedOut : .brokeOff)
            }
            buffer.writeBytes(chunk[..<max(0, count)])
            if head == nil { head = try nextHead(&reader, &buffer) }
        }
        guard let head else { throw AdminClientError(buffer.readableBytes == 0 ? .brokeOff : .nonsense) }
        guard buffer.readableBytes >= head.bodyBytes else { throw AdminClientError(.brokeOff) }
        guard buffer.readableBytes == head.bodyBytes else { throw AdminClientError(.nonsense) }
        return (head.status, Array(buffer.readableBytesView))
    }

    private static func nextHead(
        _ reader: inout ResponseHeadReader, _ buffer: inout ByteBuffer
    ) throws(AdminClientError) -> (status: Int, bodyBytes: Int)? {
        do throws(HTTPMessageError) {
            guard let head = try reader.next(&buffer) else { return nil }
            if let length = try head.fields.contentLength(), length <= mostAnswerBytes {
                return (head.status, length)
            }
        } catch {}
        throw AdminClientError(.nonsense)
    }
}

/// Why an agent did not answer.
package struct AdminClientError: Error, Sendable, CustomStringConvertible {
    package enum Reason: Sendable, Equatable {
        /// What `connect` failed with: no agent listens there, or it is not ours.
        case unreachable(Errno)
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
        [.unreachable(.noSuchFileOrDirectory), .unreachable(.notDirectory), .unreachable(.connectionRefused)]
            .contains(reason)
    }

    package var description: String {
        switch reason {
        case _ where isNobodyThere: "no agent runs there"
        case .unreachable(.permissionDenied), .unreachable(.notPermitted):
            "the agent is another user's — ask as that user, or as root"
        case .unreachable(let failure): failure.description
        case .timedOut:
            "the agent does not answer: it is stuck or stopped — see its log, or kill it (kill -9)"
        case .brokeOff: "the agent ended before it answered"
        case .nonsense: "the agent's answer is not understood — is it another version of wstunnel?"
        case .refused(let words): words
        }
    }
}
