/// The keys of `ports` of a server.
enum PortKeys {
    static let ports = KeyDeclaration(
        "ports", .list(.portEntry),
        "Ports of plain TCP, each of them the way to one tunnel: no HTTP is spoken.")
    static let port = ScalarKey<Int?>.integer(
        "port", 0...65_535, "The port to listen on; 0 lets the kernel choose.")
    static let host = ScalarKey<String?>.optional(
        "host", .text, "The address to listen on; by default the server's.", TextRule.bindAddress)
    static let callers = KeyDeclaration(
        "allow-from", .addresses, "IP addresses and ranges that may connect; by default all.")
    static let idleTimeout = ScalarKey<Duration>.duration(
        "idle-timeout", .zero ... .seconds(604_800), default: TCPPort.defaultIdle,
        "How long a connection may be silent in both directions before it is cut; 0 is for ever")
    static let all =
        [port.declaration, host.declaration] + Keys.token.declarations + [callers, idleTimeout.declaration]
}
