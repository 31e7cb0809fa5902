/// What is wrong with the order of a certificate file, by names alone: no signature is looked at.
package struct ChainFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Places count from 1 on, as people do.
    package enum Kind: Hashable, Sendable {
        /// The same certificate twice.
        case repeated(first: Int, again: Int)
        /// The first one is an authority, and others follow.
        case leafIsAuthority
        /// The issuer of the one at `place` is in the file, but not next.
        case outOfOrder(place: Int, issuer: Int)
        /// The issuer of the one before `place` is not in the file; this one is another.
        case unrelated(place: Int)
    }

    package let kind: Kind
    /// What is wrong and what to do.
    package let message: String

    package var description: String { message }

    /// The first fault of a chain, which begins with the certificate of the server (or client) itself, each one issued
    /// by the next (RFC 8446 §4.4.2). A root at the end is fine, and so is none; an empty chain has no fault.
    package static func of(_ chain: [X509Certificate]) -> ChainFault? {
        guard let leaf = chain.first, chain.count > 1 else { return nil }
        if let fault = repetition(in: chain) { return fault }
        if leaf.isAuthority { return leafIsAuthority(chain) }
        for (index, (certificate, next)) in zip(chain, chain.dropFirst()).enumerated()
        where certificate.issuer != next.subject {
            return misplaced(next, at: index + 1, behind: certificate, in: chain)
        }
        return nil
    }

    private static func repetition(in chain: [X509Certificate]) -> ChainFault? {
        var places: [X509Certificate: Int] = [:]
        for (index, certificate) in chain.enumerated() {
            guard let first = places.updateValue(index, forKey: certificate) else { continue }
            return ChainFault(
                kind: .repeated(first: first + 1, again: index + 1),
                message:
                    "\(numbered(certificate, index)) is the same as certificate \(first + 1): take one out")
        }
        return nil
    }

    private static func leafIsAuthority(_ chain: [X509Certificate]) -> ChainFault {
        let remedy =
            if let place = chain.firstIndex(where: { !$0.isAuthority }) {
                "put \(numbered(chain[place], place)) first, and behind each one its issuer"
            } else {
                "put the certificate that this authority issued first"
            }
        return ChainFault(
            kind: .leafIsAuthority,
            message:
                "\(numbered(chain[0], 0)) is an authority's, but stands first with others behind it: \(remedy)"
        )
    }

    private static func misplaced(
        _ next: X509Certificate, at index: Int, behind certificate: X509Certificate,
        in chain: [X509Certificate]
    ) -> ChainFault {
        let what = "\(numbered(next, index)) did not issue \(numbered(certificate, index - 1))"
        if certificate.issuer == certificate.subject {
            return ChainFault(
                kind: .unrelated(place: index + 1),
                message: "\(what), which signs itself: take out what stands behind that")
        }
        if let issuer = chain.firstIndex(where: { $0.subject == certificate.issuer }) {
            return ChainFault(
                kind: .outOfOrder(place: index, issuer: issuer + 1),
                message:
                    "\(what): put certificate \(issuer + 1) (\(chain[issuer])), its issuer, directly behind it"
            )
        }
        return ChainFault(
            kind: .unrelated(place: index + 1),
            message: "\(what): put the certificate of its issuer, \(certificate.issuer), between them,"
                + " or take out certificate \(index + 1) and what follows")
    }

    private static func numbered(_ certificate: X509Certificate, _ index: Int) -> String {
        "certificate \(index + 1) (\(certificate))"
    }
}
