package import HTTPMessage
package import TunnelConfiguration
import TunnelProtocol

/// Who may call, and what becomes of the requests, as all rules together have it that hold for a route: the server's, the
/// token's and the name's. Compiled when the configuration is read, so that their number costs a request nothing.
package final class AccessPolicy: Sendable {
    /// What is known of a request before it is let in.
    package struct Facts {
        /// Who calls.
        package var address: String
        /// All names in the certificate that the caller has shown; nil where it has shown none that counts.
        package var certificateNames: Set<String>?

        package init(address: String, certificateNames: Set<String>?) {
            self.address = address
            self.certificateNames = certificateNames
        }
    }

    /// Where callers may come from, as one rule says it.
    struct Origins: Sendable {
        let allowed: AddressTable?
        let denied: AddressTable

        init?(_ rules: CallerRules) {
            guard rules.allowed != nil || !rules.denied.isEmpty else { return nil }
            allowed = rules.allowed.map(AddressTable.init)
            denied = AddressTable(rules.denied)
        }

        func admit(_ address: AddressTable.Address) -> Bool {
            !denied.contains(address) && (allowed?.contains(address) ?? true)
        }
    }

    let origins: [Origins]
    /// Nil: none is asked for; empty: any is good.
    let certificateNames: Set<NameGlob>?
    let methods: AllowedMethods?
    let maintenance: MaintenanceAnswer?
    /// Whom a caller has to be; nil where anybody may call.
    package let logins: LoginList?
    /// Longest body of a request, in bytes; nil for any.
    package let maximumBody: Int?
    /// Whether origin and caller are told the request's id.
    let tellsRequestID: Bool
    let requestChanges: [FieldChanges]
    let responseChanges: [FieldChanges]
    /// Whether a request needs an id.
    package let needsRequestID: Bool

    /// - Parameters:
    ///   - rules: of a place.
    ///   - wider: what holds around it: the two share what is the same, as thousands of tokens may have a server's list of
    ///     addresses.
    package init(_ rules: CallerRules, within wider: AccessPolicy? = nil) {
        origins = (wider?.origins ?? []) + (Origins(rules).map { [$0] } ?? [])
        certificateNames =
            switch rules.certificate {
            case nil: wider?.certificateNames
            case .some(.none): nil
            case .required(let names): names
            }
        methods = rules.methods.map(AllowedMethods.init) ?? wider?.methods
        maintenance =
            switch rules.maintenance {
            case nil: wider?.maintenance
            case .off: nil
            case .on(let answer): answer
            }
        logins =
            switch rules.login {
            case nil: wider?.logins
            case .anonymous: nil
            case .listed(let users, let bearers): LoginList(users: users, bearers: bearers)
            }
        maximumBody = rules.maximumBody ?? wider?.maximumBody
        tellsRequestID = rules.hasRequestID ?? wider?.tellsRequestID ?? false
        requestChanges = (wider?.requestChanges ?? []) + [rules.requestFields].filter { !$0.isEmpty }
        responseChanges = (wider?.responseChanges ?? []) + [rules.responseFields].filter { !$0.isEmpty }
        needsRequestID =
            tellsRequestID || (requestChanges + responseChanges).contains { $0.uses(.requestID) }
    }

    /// Everything but who has to log in: `logins` is asked next.
    ///
    /// - Throws: why the request is not let in.
    package func check(_ head: RequestHead, _ facts: Facts) throws(AccessRefusal) {
        if !origins.isEmpty {
            let address = AddressTable.Address(facts.address)
            for origins in origins where !origins.admit(address) { throw .addressNotAllowed }
        }
        if let certificateNames {
            guard let shown = facts.certificateNames else { throw .certificateMissing }
            guard
                certificateNames.isEmpty
                    || shown.contains(where: { name in certificateNames.contains { $0.matches(name) } })
            else { throw .certificateNotAllowed }
        }
        if let maintenance { throw .maintenance(maintenance) }
        if let methods, !methods.allow(head.method) { throw .methodNotAllowed(methods) }
    }

    /// Whether a request that was let in by other rules may go on under these as it is: nobody has to be asked who sends it,
    /// and nothing else becomes of it.
    package func alsoLetsIn(_ head: RequestHead, from address: String) -> Bool {
        guard logins == nil, certificateNames == nil, maximumBody == nil, !tellsRequestID,
            requestChanges.isEmpty, responseChanges.isEmpty
        else { return false }
        do throws(AccessRefusal) {
            try check(head, Facts(address: address, certificateNames: nil))
            return true
        } catch {
            return false
        }
    }

    /// - Throws: for a body that is said to be too long. Asked behind `logins`: strangers learn nothing by it.
    package func checkBody(_ framing: BodyFraming) throws(AccessRefusal) {
        if let maximumBody, case .length(let length) = framing, length > maximumBody {
            throw .bodyTooLarge(limit: maximumBody)
        }
    }

    /// What becomes of the fields of a request that was let in, and of its answer; nil for nothing.
    package func rewriting(_ facts: @autoclosure () -> FieldFacts) -> FieldRewriting? {
        guard tellsRequestID || logins != nil || !requestChanges.isEmpty || !responseChanges.isEmpty else {
            return nil
        }
        return FieldRewriting(
            requests: requestChanges, responses: responseChanges, facts(),
            hidesAuthorization: logins != nil, tellsRequestID: tellsRequestID)
    }
}
