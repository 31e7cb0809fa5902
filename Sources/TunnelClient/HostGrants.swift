import AgentStatus
import Synchronization
import TunnelProtocol

/// What the server said of the host names that a tunnel asks for, whichever session told it.
final class HostGrants: Sendable {
    private let rulings = Mutex<[String: HostRuling]>([:])

    /// What the next session asks for: of the server's choice what it chose before.
    func claims(_ hosts: [String]) -> [String] {
        rulings.withLock { rulings in
            // What is asked for no more is news when it is asked for again.
            rulings = rulings.filter { hosts.contains($0.key) }
            return hosts.map { host in
                guard host == RandomHost.word, let ruling = rulings[host], ruling.isGranted,
                    let label = Self.label(in: ruling.text)
                else { return host }
                return RandomHost.again(label)
            }
        }
    }

    /// What was not known yet.
    func news(in all: [HostRuling]) -> [HostRuling] {
        rulings.withLock { rulings in
            all.compactMap { ruling in
                var ruling = ruling
                if RandomHost(ruling.claim) != nil { ruling.claim = RandomHost.word }
                return rulings.updateValue(ruling, forKey: ruling.claim) == ruling ? nil : ruling
            }
        }
    }

    /// Of these names; those of which nothing was heard yet have neither URL nor reason.
    func snapshots(_ hosts: [String]) -> [HostSnapshot] {
        let rulings = rulings.withLock { $0 }
        return hosts.map { host in
            let ruling = rulings[host]
            return HostSnapshot(
                claim: host, url: ruling.flatMap { $0.isGranted ? $0.text : nil },
                refusal: ruling.flatMap { $0.isGranted ? nil : $0.text })
        }
    }

    /// The first label of the host in a URL.
    private static func label(in url: String) -> Substring? {
        url.firstRange(of: "://").map { url[$0.upperBound...].prefix { $0 != "." && $0 != "/" } }
    }
}
