/// A name by which requests reach a tunnel although they bring no token: what `Host` says, and how the path begins.
package struct PublicName: Hashable, Sendable {
    /// Which hosts it stands for.
    package enum Host: Hashable, Sendable {
        /// In lower case, without port and the dot of the root; IPv6 without brackets.
        case exact(String)
        /// One label, any, and behind it a dot and this name.
        case anyLabel(before: String)
        /// Every host that has no name of its own.
        case any
    }

    package var host: Host
    /// "" or how a path begins, with a leading and without a trailing slash: `/api` stands for itself and for what is below.
    package var path: String

    package init(host: Host, path: String = "") {
        self.host = host
        self.path = path
    }

    /// As in the file.
    package var shownHost: String {
        switch host {
        case .exact(let name): name
        case .anyLabel(let name): "*.\(name)"
        case .any: "*"
        }
    }
}

extension PublicName: CustomStringConvertible, Comparable {
    package var description: String { shownHost + path }

    package static func < (one: Self, other: Self) -> Bool {
        (one.shownHost, one.path) < (other.shownHost, other.path)
    }
}
