/// The keys of `ban`.
enum BanKeys {
    static let ban = KeyDeclaration(
        "ban", .mapping(.ban), "When an address that guesses tokens and passwords is shut out.")
    static let enabled = ScalarKey<Bool>.boolean(
        "enabled", default: true, "Whether addresses are banned.")
    static let after = ScalarKey<Int>.integer(
        "after", 1...100_000, default: 100,
        "So many wrong tokens and passwords, each of them another, ban their address.")
    static let within = ScalarKey<Duration>.duration(
        "within", .seconds(1) ... .seconds(86_400), default: .seconds(600),
        "How long it takes until they are all forgiven")
    static let duration = ScalarKey<Duration>.duration(
        "for", .seconds(1) ... .seconds(2_592_000), default: .seconds(600),
        "How long the first ban lasts; the next one twice as long, and so on")
    static let longest = ScalarKey<Duration>.duration(
        "longest", .seconds(1) ... .seconds(2_592_000), default: .seconds(86_400),
        "How long a ban lasts at most")
    static let never = KeyDeclaration(
        "never", .addresses,
        "IP addresses and ranges that are not banned, in place of loopback and private networks. trusted-proxies never are."
    )

    static let all = [
        enabled.declaration, after.declaration, within.declaration, duration.declaration,
        longest.declaration, never,
    ]
}
