package import TunnelConfiguration

/// Where a server that starts or moves gets its listening socket from.
package enum ListenerSource: Hashable, Sendable {
    /// The process was started with it (socket activation).
    case inherited
    /// It is the socket of a server that stops or moves, with the callers that wait in its queue.
    case takenOver(from: String)
    case bound
}

/// - Parameters:
///   - changes: of a plan.
///   - running: what runs before them.
///   - inherited: names of sockets that the process was started with.
/// - Returns: a source for each server that starts or is replaced. No socket goes to two.
package func assignListeners(
    _ changes: [Change<ServerConfiguration>], running: [ServerConfiguration], inherited: Set<String>
) -> [String: ListenerSource] {
    let before = Dictionary(running.map { ($0.name, $0) }) { first, _ in first }
    var released: [String: String] = [:]
    for change in changes {
        guard let server = before[change.name], !inherited.contains(change.name) else { continue }
        switch change {
        case .replace, .stop: released[server.address] = server.name
        case .start, .update: break
        }
    }
    var sources: [String: ListenerSource] = [:]
    for change in changes {
        switch change {
        case .start(let wanted), .replace(let wanted, _):
            if inherited.contains(wanted.name) {
                sources[wanted.name] = .inherited
            } else if let owner = released[wanted.address], wanted.port != 0 || owner == wanted.name {
                released[wanted.address] = nil
                sources[wanted.name] = .takenOver(from: owner)
            } else {
                sources[wanted.name] = .bound
            }
        case .update, .stop: break
        }
    }
    return sources
}

extension ServerConfiguration {
    /// A socket that does not share its port cannot begin to, nor the other way round. Nobody shares a port that the
    /// kernel picks.
    fileprivate var address: String { "\(host) \(port) \(port != 0 && reusePort)" }
}
