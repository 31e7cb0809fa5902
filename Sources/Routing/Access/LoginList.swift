package import HTTPMessage
package import TunnelConfiguration
import TunnelProtocol

/// Who may log in where a caller has to say who it is.
package struct LoginList: Sendable {
    /// Longest password that is looked at, in bytes: the work for one grows with it.
    private static let longestPassword = 256
    private static let longestUser = 128

    /// What a caller brought.
    package enum Claim: Sendable {
        /// Nothing that could be right.
        case none(LoginDemand)
        /// A secret that is good.
        case bearer
        /// A secret that is not.
        case wrongBearer(LoginDemand)
        case password(PasswordClaim)
    }

    private let users: [String: PasswordHash]
    /// Those of unknown users are looked at with one of these: how long that takes must not tell who is known.
    private let decoys: [PasswordHash]
    /// By a hash that is seeded at random in each process: the time of a look-up tells nothing of what is nearly right.
    private let bearers: [Int: [Secret]]

    package init(users: [String: PasswordHash], bearers: Set<Secret>) {
        self.users = users
        decoys = users.keys.sorted().compactMap { users[$0] }
        self.bearers = Dictionary(grouping: bearers) { $0.secret.hashValue }
    }

    /// - Parameter wasWrong: whether a name, password or secret came that is not good.
    package func demand(wasWrong: Bool) -> LoginDemand {
        LoginDemand(takesUsers: !users.isEmpty, takesBearers: !bearers.isEmpty, wasWrong: wasWrong)
    }

    /// What the fields of a request say of who calls.
    package func claim(in fields: HeaderFields) -> Claim {
        guard let value = fields[.authorization], fields.count(of: .authorization) == 1 else {
            return .none(demand(wasWrong: fields.contains(.authorization)))
        }
        if !bearers.isEmpty, let secret = Self.bearer(in: value) {
            var isRight = false
            for bearer in bearers[secret.hashValue, default: []]
            where ConstantTime.areEqual(secret, bearer.secret) {
                isRight = true
            }
            return isRight ? .bearer : .wrongBearer(demand(wasWrong: true))
        }
        guard !users.isEmpty, let (user, password) = BasicAuthorization.decode(value),
            user.utf8.count <= Self.longestUser, password.utf8.count <= Self.longestPassword,
            !password.utf8.contains(0)
        else { return .none(demand(wasWrong: true)) }
        let known = users[user]
        // Always the same one for a name, as it would be if it were known.
        let hash = known ?? decoys[Int(UInt(bitPattern: user.hashValue) % UInt(decoys.count))]
        return .password(
            PasswordClaim(
                user: user, password: Secret(password), hash: hash, isKnown: known != nil,
                demand: demand(wasWrong: true)))
    }

    private static func bearer(in value: String) -> String? {
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1].drop { $0 == " " })
    }
}

/// A user's password, and what it has to agree with.
package struct PasswordClaim: Hashable, Sendable {
    package let user: String
    package let password: Secret
    package let hash: PasswordHash
    /// Whether there is such a user: else the password is wrong, whatever the hash says.
    package let isKnown: Bool
    /// What the caller is told if it is wrong.
    package let demand: LoginDemand
}
