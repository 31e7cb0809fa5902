/// An entry of `servers` or `tunnels`.
struct ConfigurationEntry {
    let reader: MappingReader
    /// Entries that are not keep their name, and nothing else.
    let isEnabled: Bool
}

/// What entries must not have in common, in whichever files they stand.
enum EntryChecks {
    static func reportDuplicateNames(_ entries: [ConfigurationEntry], _ kind: String, _ pass: LoadingPass) {
        var places: [String: SourcePlace] = [:]
        for entry in entries {
            let reader = entry.reader
            guard let field = reader.field(Keys.name.declaration), field.path.hasPrefix(reader.path),
                let name = reader.value(Keys.name)
            else { continue }
            if let place = places[name] {
                pass.error(
                    at: field.place, field.path,
                    "\(Quotation.of(name)) is already the name of the \(kind) at \(place.named(from: field.file))",
                    advice: "give each \(kind) a name of its own")
            } else {
                places[name] = field.place
            }
        }
    }

    /// - Parameter admin: the section of the admin API, if there is one.
    static func reportSharedPorts(
        _ entries: [ConfigurationEntry], admin: MappingReader?, _ pass: LoadingPass
    ) {
        var taken = TakenAddresses()
        func take(_ address: ListenAddress, _ kind: String, _ reader: MappingReader, _ key: KeyDeclaration) {
            guard let other = taken.add(address, kind, reader.place) else { return }
            let field = reader.field(key)
            pass.error(
                at: field?.place ?? reader.place, field?.path ?? reader.path,
                "\(address) is already taken by \(other.description(from: reader.file))",
                advice: ["server", "port"].contains(kind)
                    ? "give each \(kind) a \(kind == "port" ? "number" : "port") of its own"
                    : "give the \(kind) a port of its own")
        }
        for entry in entries where entry.isEnabled {
            let reader = entry.reader
            // What cannot be taken is no address that another could have.
            guard let host = reader.goodValue(Keys.host), let port = reader.goodValue(Keys.port) else {
                continue
            }
            take(ListenAddress(host: host, port: port), "server", reader, Keys.port.declaration)
            for port in reader.portAddresses(of: host) {
                take(port.address, "port", port.entry, PortKeys.port.declaration)
            }
            guard let field = reader.field(Keys.tls),
                let tls = MappingReader(field, .tls, isOffline: reader.isOffline, pass: pass),
                let redirect = tls.goodValue(TLSKeys.redirectHTTP).flatMap({ $0 })
            else { continue }
            take(
                ListenAddress(host: host, port: redirect), "server", tls, TLSKeys.redirectHTTP.declaration)
        }
        if let admin, let address = admin.goodValue(Keys.listen) {
            take(address, "admin API", admin, Keys.listen.declaration)
        }
    }
}

/// The addresses that are bound, to find those that cannot be bound beside them without comparing all with all.
private struct TakenAddresses {
    struct Listener {
        let address: ListenAddress
        let kind: String
        let place: SourcePlace

        func description(from file: SourceFile) -> String {
            "the \(kind) at \(place.named(from: file)) (\(address))"
        }
    }

    private var byAddress: [ListenAddress: Listener] = [:]
    private var byPort: [Int: [Listener]] = [:]
    /// Those of a port that stand for several addresses.
    private var broad: [Int: [Listener]] = [:]

    /// Notes a listener.
    /// - Returns: the first one that has its address already.
    mutating func add(_ address: ListenAddress, _ kind: String, _ place: SourcePlace) -> Listener? {
        guard address.port != 0 else { return nil }
        if let same = byAddress[address] { return same }
        let rivals = address.isBroad ? byPort[address.port] : broad[address.port]
        let other = rivals?.first { $0.address.overlaps(address) }
        let listener = Listener(address: address, kind: kind, place: place)
        byAddress[address] = listener
        byPort[address.port, default: []].append(listener)
        if address.isBroad { broad[address.port, default: []].append(listener) }
        return other
    }
}
