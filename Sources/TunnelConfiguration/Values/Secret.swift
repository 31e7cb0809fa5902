/// A text that must reach no log, message or dump. It prints as `***`.
package struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The text itself. Never log it.
    package let secret: String

    package init(_ secret: String) { self.secret = secret }

    /// What stands in its place.
    package static let stars = "***"

    package var description: String { Self.stars }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// User and password out of a URL, percent-decoded.
package struct BasicCredentials: Hashable, Sendable {
    package var user: String
    package var password: Secret

    package init(user: String, password: Secret) {
        self.user = user
        self.password = password
    }
}
