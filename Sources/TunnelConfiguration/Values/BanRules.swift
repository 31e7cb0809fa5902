/// `ban` of a server: when an address that guesses is shut out.
package struct BanRules: Hashable, Sendable {
    /// `enabled`
    package var isEnabled = true
    /// `after`: so many wrong guesses, each of them another, at once; 1 or more.
    package var after = 100
    /// `within`: after so long all of them are forgiven, one after the other.
    package var within: Duration = .seconds(600)
    /// `for`: how long the first ban lasts; each one that follows twice as long as the last.
    package var duration: Duration = .seconds(600)
    /// `longest`: no ban lasts longer; and who kept quiet for so long begins anew.
    package var longest: Duration = .seconds(86_400)
    /// `never`: who is not banned.
    package var never = usuallyNever

    package init() {}

    /// This machine, and the networks behind which one address most often speaks for many: private ones (RFC 1918, RFC 6598,
    /// RFC 4193) and link-local.
    package static let usuallyNever = [
        "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
        "169.254.0.0/16", "fc00::/7", "fe80::/10",
    ].compactMap { AddressRange($0) }
}
