package import TunnelConfiguration

/// Why a caller does not get what it asks for.
package enum AccessRefusal: Error, Hashable, Sendable {
    /// Nobody may call from where it is.
    case addressNotAllowed
    /// It has shown no certificate that counts.
    case certificateMissing
    /// It has shown another one than is asked for.
    case certificateNotAllowed
    case methodNotAllowed(AllowedMethods)
    /// The body is longer than it may be, in bytes.
    case bodyTooLarge(limit: Int)
    /// It has not said who it is, or was wrong.
    case loginRequired(LoginDemand)
    /// The tunnel is being worked on.
    case maintenance(MaintenanceAnswer)
}

/// The methods that requests may have, as `Allow` tells them.
package struct AllowedMethods: Hashable, Sendable {
    private let methods: Set<String>
    package let text: String

    init(_ methods: Set<String>) {
        let methods = methods.contains("GET") ? methods.union(["HEAD"]) : methods
        self.methods = methods
        text = methods.sorted().joined(separator: ", ")
    }

    func allow(_ method: String) -> Bool { methods.contains(method) }
}

/// How a caller may say who it is, and what was wrong.
package struct LoginDemand: Hashable, Sendable {
    /// By name and password.
    package var takesUsers: Bool
    /// By a secret.
    package var takesBearers: Bool
    /// Whether one came that was wrong.
    package var wasWrong = false
}
