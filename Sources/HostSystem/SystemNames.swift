import Glibc
package import NIOCore

/// The system's look-up of host names and addresses. Waits for the network.
package enum SystemNames {
    /// - Returns: addresses with port 0, the preferred first; nil when there are none.
    @Sendable package static func addresses(of host: String) -> [SocketAddress]? {
        let addresses = withEntries(of: host) { entry in entry.ai_addr.flatMap { SocketAddress($0) } }
        return addresses.isEmpty ? nil : addresses
    }

    /// - Returns: the name that the DNS has for an address; nil when it has none, or that is no address.
    @Sendable package static func name(of address: String) -> String? {
        withEntries(of: address, flags: AI_NUMERICHOST) { entry -> String? in
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard
                getnameinfo(
                    entry.ai_addr, entry.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NAMEREQD) == 0
            else { return nil }
            return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }.first
    }

    private static func withEntries<Value>(
        of host: String, flags: CInt = 0, _ value: (addrinfo) -> Value?
    ) -> [Value] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var values: [Value] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            if let value = value(entry.pointee) { values.append(value) }
        }
        return values
    }
}
