import TunnelProtocol

extension MappingReader {
    /// Decodes `ports` of a server, or checks those of `defaults.server`.
    ///
    /// - Returns: a listener for each of them, of a name that is the server's with the port behind it.
    func portListeners(of server: ServerConfiguration) -> [ServerConfiguration] {
        portEntries().compactMap { entry in
            entry.require(
                PortKeys.port.declaration, advice: "add the port to listen on, such as port: 2222")
            let port = entry.value(PortKeys.port)
            let host = entry.value(PortKeys.host) ?? server.host
            let token = entry.tokenAlone()
            let callers = entry.field(PortKeys.callers).map { _ in entry.addressRanges(PortKeys.callers) }
            entry.refuseEmptyList(
                PortKeys.callers, advice: "list an address: nobody could connect; or remove the key")
            let idle = entry.value(PortKeys.idleTimeout)
            guard let port, let token else { return nil }
            let address = host == server.host ? "\(port)" : "\(ListenAddress(host: host, port: port))"
            var listener = ServerConfiguration(
                name: "\(server.name):\(address)", host: host, port: port, reusePort: server.reusePort,
                tcp: TCPPort(
                    server: server.name, token: token, callers: callers, idle: idle == .zero ? nil : idle),
                times: server.times, limits: server.limits)
            listener.callerLimits = server.callerLimits
            listener.trust.proxies = server.trust.proxies
            listener.trust.proxyHeader = server.trust.proxyHeader
            return listener
        }
    }

    /// Where the ports of a server listen, as far as that can be taken.
    ///
    /// - Parameter server: the address that they take over.
    func portAddresses(of host: String) -> [(address: ListenAddress, entry: MappingReader)] {
        portEntries().compactMap { entry in
            guard let port = entry.goodValue(PortKeys.port).flatMap({ $0 }),
                let own = entry.goodValue(PortKeys.host)
            else { return nil }
            return (ListenAddress(host: own ?? host, port: port), entry)
        }
    }

    private func portEntries() -> [MappingReader] {
        items(PortKeys.ports).compactMap {
            MappingReader($0, .portEntry, isOffline: isOffline, pass: pass)
        }
    }
}
