extension ConfigurationRendering {
    /// - Parameters:
    ///   - ports: listeners of the server, in their order.
    ///   - server: whose address a port has that names none.
    static func write(
        ports: [ServerConfiguration], of server: ServerConfiguration, to text: inout ConfigurationText
    ) {
        guard !ports.isEmpty else { return }
        text.line(4, "\(PortKeys.ports.name):")
        for listener in ports {
            guard let port = listener.tcp else { continue }
            text.line(6, "- \(PortKeys.port.declaration.name): \(listener.port)")
            if listener.host != server.host { text.entry(8, PortKeys.host, text: listener.host) }
            text.secret(8, Keys.token.literal)
            if let callers = port.callers {
                let ranges = callers.map { ConfigurationText.quoted($0.description) }
                text.line(8, "\(PortKeys.callers.name): [\(ranges.joined(separator: ", "))]")
            }
            text.entry(8, PortKeys.idleTimeout, port.idle ?? .zero)
        }
    }
}
