import YAMLDocument

/// Decodes the whole file.
struct AgentDecoder {
    let pass: LoadingPass

    /// - Returns: nil when the root is no mapping; other problems are recorded and defaults stand in.
    func decode(_ root: YAMLNode) -> AgentConfiguration? {
        guard let file = MappingReader(root, .root, path: "", defaults: nil, pass: pass) else { return nil }
        _ = file.value(Keys.version)
        let defaults = child(of: file, Keys.defaults, .defaults)
        let serverDefaults = defaults.flatMap { child(of: $0, Keys.serverDefaults, .server) }
        let tunnelDefaults = defaults.flatMap { child(of: $0, Keys.tunnelDefaults, .tunnel) }
        for defaults in [serverDefaults, tunnelDefaults].compactMap({ $0 }) { refuseName(in: defaults) }
        // Values of `defaults` are checked even where no entry takes them over.
        _ = serverDefaults?.server(isDefaults: true)
        _ = tunnelDefaults?.tunnel(isDefaults: true)
        let servers = entries(of: file, Keys.servers, .server, serverDefaults)
        let tunnels = entries(of: file, Keys.tunnels, .tunnel, tunnelDefaults)
        if servers.isEmpty, tunnels.isEmpty, !hasEntries(file) {
            pass.error(
                at: root.mark, "", "there is neither a server nor a tunnel",
                advice: "add an entry to \"servers\" or \"tunnels\"")
        }
        let configuration = AgentConfiguration(
            log: log(file), pidfile: pidfile(file), shutdownGrace: file.value(Keys.shutdownGrace),
            servers: servers.compactMap { $0.server() }, tunnels: tunnels.compactMap { $0.tunnel() })
        reportDuplicateNames(servers, "server")
        reportDuplicateNames(tunnels, "tunnel")
        reportSharedPorts(servers)
        return configuration
    }

    private func hasEntries(_ file: MappingReader) -> Bool {
        [Keys.servers, Keys.tunnels].contains { key in
            guard let node = file.field(key)?.node else { return false }
            return node.sequence.map { !$0.isEmpty } ?? true
        }
    }

    private func child(
        of reader: MappingReader, _ key: KeyDeclaration, _ section: ConfigurationSection
    ) -> MappingReader? {
        reader.field(key).flatMap { field in
            MappingReader(field.node, section, path: field.path, defaults: nil, pass: pass)
        }
    }

    private func refuseName(in defaults: MappingReader) {
        guard let field = defaults.field(Keys.name.declaration) else { return }
        pass.error(
            at: field.keyMark, field.path, "a name cannot be a default: names are unique",
            advice: "move it into the entries")
    }

    private func entries(
        of file: MappingReader, _ key: KeyDeclaration, _ section: ConfigurationSection,
        _ defaults: MappingReader?
    ) -> [MappingReader] {
        file.items(key).enumerated().compactMap { index, node in
            MappingReader(
                node, section, path: "\(key.name)[\(label(of: node) ?? "#\(index + 1)")]", defaults: defaults,
                pass: pass)
        }
    }

    /// The name by which problems call an entry, if it has a good one.
    private func label(of node: YAMLNode) -> String? {
        let entry = node.mapping?.first { $0.key == Keys.name.declaration.name }
        return entry?.value.scalar.flatMap { TextRule.isName($0.text) ? $0.text : nil }
    }

    private func log(_ file: MappingReader) -> LogConfiguration {
        guard let log = child(of: file, Keys.log, .log) else { return LogConfiguration() }
        let path = log.value(Keys.file)
        if path != Keys.file.defaultValue { log.checkFolder(of: pass.resolve(path), Keys.file.declaration) }
        return LogConfiguration(
            level: log.value(Keys.level), format: log.value(Keys.format),
            destination: path == Keys.file.defaultValue ? .standardError : .file(path: pass.resolve(path)),
            syslog: log.value(Keys.syslog))
    }

    private func pidfile(_ file: MappingReader) -> String? {
        guard let path = file.value(Keys.pidfile).map(pass.resolve) else { return nil }
        file.checkFolder(of: path, Keys.pidfile.declaration)
        return path
    }

    private func reportDuplicateNames(_ readers: [MappingReader], _ kind: String) {
        var lines: [String: Int] = [:]
        for reader in readers {
            guard let field = reader.field(Keys.name.declaration), field.path.hasPrefix(reader.path),
                let name = reader.value(Keys.name)
            else { continue }
            if let line = lines[name] {
                pass.error(
                    at: field.node.mark, field.path,
                    "\(Quotation.of(name)) is already the name of the \(kind) at line \(line)",
                    advice: "give each \(kind) a name of its own")
            } else {
                lines[name] = field.node.mark.line
            }
        }
    }

    private func reportSharedPorts(_ readers: [MappingReader]) {
        var listeners: [(listener: ListenAddress, line: Int)] = []
        var byPort: [Int: [Int]] = [:]
        for reader in readers {
            let listener = ListenAddress(host: reader.value(Keys.host), port: reader.value(Keys.port))
            guard listener.port != 0 else { continue }
            if let other = byPort[listener.port]?.first(where: { listeners[$0].listener.overlaps(listener) })
            {
                let field = reader.field(Keys.port.declaration)
                pass.error(
                    at: field?.node.mark ?? reader.mark, field?.path ?? reader.path,
                    "\(listener) is already taken by the server at line \(listeners[other].line) "
                        + "(\(listeners[other].listener))",
                    advice: "give each server a port of its own")
            }
            byPort[listener.port, default: []].append(listeners.count)
            listeners.append((listener, reader.mark.line))
        }
    }
}
