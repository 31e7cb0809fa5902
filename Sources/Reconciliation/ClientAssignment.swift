package import TunnelConfiguration

/// Which client a tunnel that starts or changes has from then on.
package enum ClientSource: Hashable, Sendable {
    /// The one that runs, with other settings: its sessions stay.
    case kept
    /// A new one, which takes over from the one that runs, if there is one.
    case made
}

/// - Parameters:
///   - changes: of a plan.
///   - givenUp: names of tunnels whose client has ended by itself: of such a one nothing is left that could be changed
///     in place.
/// - Returns: a source for each tunnel that goes on.
package func assignClients(
    _ changes: [Change<TunnelClientConfiguration>], givenUp: Set<String>
) -> [String: ClientSource] {
    var sources: [String: ClientSource] = [:]
    for change in changes {
        switch change {
        case .start, .replace: sources[change.name] = .made
        case .update: sources[change.name] = givenUp.contains(change.name) ? .made : .kept
        case .stop: break
        }
    }
    return sources
}
