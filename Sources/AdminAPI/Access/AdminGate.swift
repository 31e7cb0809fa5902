import HTTPMessage
import HostSystem
import Logging
import Observability
import Synchronization

/// What an admin server asks of who comes, which may change while it runs, and how much it takes at once.
final class AdminGate: Sendable {
    /// Answers without an end at once, of which each may stay for as long as its reader likes: the other connections stay
    /// for questions.
    static let mostStreams = 16
    /// Requests with a token that are under way at once: each may have a body, and a long answer.
    static let mostRequests = 256

    /// What strangers can bring about as often as they like.
    enum Complaint: String, Hashable {
        case token = "An admin request was refused: no token, or a wrong one"
        case tls = "Admin API: TLS handshake failed"
        case plain = "Admin API: connection is not TLS"
    }

    private let current: Mutex<AdminAccess>
    let logger: Logger
    private let complaints = Mutex<[Complaint: RepeatedWarning]>([:])
    private let streams = Atomic<Int>(0)
    private let requests = Atomic<Int>(0)

    init(_ access: AdminAccess, logger: Logger) {
        current = Mutex(access)
        self.logger = logger
    }

    /// What is in force now.
    var access: AdminAccess { current.withLock { $0 } }

    func replace(by access: AdminAccess) { current.withLock { $0 = access } }

    /// Tells the log, at most once a minute for each.
    func tell(_ complaint: Complaint, _ words: String? = nil, from address: String? = nil) {
        guard let times = complaints.withLock({ $0[complaint, default: RepeatedWarning()].happened() })
        else { return }
        var logger = logger
        if let words { logger[.errorMessage] = "\(words)" }
        if let address { logger[.peerAddress] = "\(address)" }
        logger.warning("\(complaint.rawValue)", metadata: [.times: "\(times)"])
    }

    /// - Returns: false where there are too many; else `endStream` is called when it is over.
    func beginStream() -> Bool { Self.take(streams, Self.mostStreams) }

    func endStream() { streams.subtract(1, ordering: .relaxed) }

    /// - Returns: false where there are too many; else `endRequest` is called when it is over.
    func beginRequest() -> Bool { Self.take(requests, Self.mostRequests) }

    func endRequest() { requests.subtract(1, ordering: .relaxed) }

    private static func take(_ places: borrowing Atomic<Int>, _ most: Int) -> Bool {
        guard places.add(1, ordering: .relaxed).newValue <= most else {
            places.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }
}
