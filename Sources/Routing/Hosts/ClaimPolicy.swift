import TunnelConfiguration
import TunnelProtocol

/// Why a tunnel client does not have a name that it asked for.
package enum ClaimRefusal: String, Hashable, Sendable, CaseIterable {
    case noClaims, malformed, notAllowed, reserved, listed, taken, tooMany, serverFull

    /// For people, at either end.
    package var words: String {
        switch self {
        case .noClaims: "the server gives no names to tunnel clients (it has no host-claims)"
        case .malformed:
            "it is no host name here: write a whole one, or a label where the server has a domain"
        case .notAllowed: "host-claims of the server do not allow it for this token"
        case .reserved: "the server reserves it for others"
        case .listed: "the server's own hosts have it"
        case .taken: "another tunnel has it"
        case .tooMany: "the token has as many names as the server lets it have"
        case .serverFull: "the server has no room for more names"
        }
    }
}

/// The rules for names, made ready to be asked for one: exact ones are looked up, however many there are.
struct ClaimPolicy: Sendable {
    private struct Names: Sendable {
        var exact: Set<String> = []
        var globs: [HostGlob] = []

        init(_ all: some Sequence<HostGlob>) {
            for glob in all {
                if glob.isExact { exact.insert(glob.text) } else { globs.append(glob) }
            }
        }

        func contains(_ name: String) -> Bool {
            exact.contains(name) || globs.contains { $0.matches(name) }
        }
    }

    private let rules: HostClaimRules?
    private let listed: HostTable
    private let allowed: Names
    private let reserved: Names
    private let ofTokens: [RendezvousToken: Names]

    init(_ rules: HostClaimRules?, listed: HostTable) {
        self.rules = rules
        self.listed = listed
        allowed = Names(rules?.allowed ?? [])
        let own = rules?.tokens.compactMapValues(\.allowed) ?? [:]
        ofTokens = own.mapValues { Names($0) }
        // A name that is written for a token is for those alone for whom it is written.
        reserved = Names(Array(rules?.reserved ?? []) + own.values.joined().filter(\.isExact))
    }

    var takesClaims: Bool { rules != nil }
    var domain: String? { rules?.domain }

    func most(of token: RendezvousToken) -> Int { rules.map { $0.tokens[token]?.most ?? $0.most } ?? 0 }

    /// Why they keep a token from a name.
    func refusal(of name: String, _ token: RendezvousToken) -> ClaimRefusal? {
        guard takesClaims else { return .noClaims }
        if listed.lists(name) { return .listed }
        if let own = ofTokens[token] { return own.contains(name) ? nil : .notAllowed }
        if reserved.contains(name) { return .reserved }
        return allowed.contains(name) ? nil : .notAllowed
    }
}
