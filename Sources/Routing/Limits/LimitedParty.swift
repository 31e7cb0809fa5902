package import TunnelConfiguration
package import TunnelProtocol

/// One of those who are meant by a limit of requests, and what it may have.
package struct LimitedParty: Hashable, Sendable {
    /// Who it is.
    package enum Identity: Hashable, Sendable {
        /// A caller.
        case address(AddressGroup)
        /// All callers of a name, in lower case and without port; or of a name that the configuration lists, as it shows it.
        case name(String)
        /// All callers of a token.
        case token(RendezvousToken)
    }

    package let identity: Identity
    package let limits: RequestLimits

    package init(_ identity: Identity, _ limits: RequestLimits) {
        self.identity = identity
        self.limits = limits
    }

    package var scope: LimitName.Scope {
        switch identity {
        case .address: .address
        case .name: .name
        case .token: .token
        }
    }
}

extension CallerLimits {
    /// What callers of a token may have together.
    package func limits(of token: RendezvousToken) -> RequestLimits { tokens[token] ?? perToken }

    /// Who is meant by the limits of a request, the narrowest first; nobody where none are set for it.
    ///
    /// - Parameters:
    ///   - host: of the request, where that has led to the token.
    ///   - name: the same as the configuration lists it; nil where it does not.
    ///   - address: who sends it.
    package func parties(
        of token: RendezvousToken, host: String?, name: PublicName?, from address: AddressGroup
    ) -> [LimitedParty] {
        var parties: [LimitedParty] = []
        if !perAddress.isEmpty { parties.append(LimitedParty(.address(address), perAddress)) }
        if let name, let own = names[name] {
            if !own.isEmpty { parties.append(LimitedParty(.name(name.description), own)) }
        } else if let host, !perName.isEmpty {
            parties.append(LimitedParty(.name(host), perName))
        }
        let ofToken = limits(of: token)
        if !ofToken.isEmpty { parties.append(LimitedParty(.token(token), ofToken)) }
        return parties
    }
}
