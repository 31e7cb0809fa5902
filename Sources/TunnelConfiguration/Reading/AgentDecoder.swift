import YAMLDocument

/// Decodes the main file and what it includes.
struct AgentDecoder {
    let pass: LoadingPass

    /// - Parameters:
    ///   - size: length of the main file.
    ///   - documents: takes the included files.
    /// - Returns: nil when the root is no mapping; other problems are recorded and defaults stand in.
    func decode(
        _ root: MappingReader.Field, size: Int, documents: inout ConfigurationDocuments
    ) -> AgentConfiguration? {
        guard let main = MappingReader(root, .root, pass: pass) else { return nil }
        _ = main.value(Keys.version)
        pass.keepsUsage = main.field(Keys.usageFile.declaration) != nil
        var walk = IncludeWalk(pass: pass, documents: documents, size: size)
        walk.follow(main: main)
        documents = walk.documents
        let files = [main] + walk.readers
        let defaults = child(of: main, Keys.defaults, .defaults)
        let serverDefaults = defaults.flatMap { child(of: $0, Keys.serverDefaults, .server) }
        let tunnelDefaults = defaults.flatMap { child(of: $0, Keys.tunnelDefaults, .tunnel) }
        for defaults in [serverDefaults, tunnelDefaults].compactMap({ $0 }) { refuseName(in: defaults) }
        // Values of `defaults` are checked even where no entry takes them over.
        _ = serverDefaults?.servers(isDefaults: true)
        _ = tunnelDefaults?.tunnel(isDefaults: true)
        let servers = files.flatMap { entries(of: $0, Keys.servers, .server, serverDefaults) }
        let tunnels = files.flatMap { entries(of: $0, Keys.tunnels, .tunnel, tunnelDefaults) }
        if !hasEntries(main) {
            pass.error(
                at: main.place, "", "there is neither a server nor a tunnel",
                advice: "add an entry to \"servers\" or \"tunnels\"")
        }
        let admin = child(of: main, Keys.admin, .admin)
        var configuration = AgentConfiguration(
            log: log(main), pidfile: fileToWrite(main, Keys.pidfile),
            usageFile: fileToWrite(main, Keys.usageFile),
            shutdownGrace: main.value(Keys.shutdownGrace), controlSocket: controlSocket(main),
            admin: admin?.adminListener(), watch: main.value(Keys.watch),
            servers: servers.flatMap { entry in
                let servers = entry.reader.servers()
                return entry.isEnabled ? servers : []
            },
            tunnels: tunnels.compactMap { entry in
                entry.reader.tunnel().flatMap { entry.isEnabled ? $0 : nil }
            })
        configuration.loadShedding = main.loadShedding()
        configuration.tracing = main.tracing()
        configuration.webhooks = main.webhooks()
        let history = child(of: main, HistoryKeys.history, .history)
        configuration.history = history?.history()
        EntryChecks.reportDuplicateNames(servers, "server", pass)
        EntryChecks.reportDuplicateNames(tunnels, "tunnel", pass)
        EntryChecks.reportSharedPorts(servers, admin: admin, pass)
        reportSharedFiles(configuration, main, history)
        return configuration
    }

    private func reportSharedFiles(
        _ configuration: AgentConfiguration, _ main: MappingReader, _ history: MappingReader?
    ) {
        var taken: [String: String] = [:]
        if case .file(let path) = configuration.log.destination { taken[path] = "the log" }
        let files = [
            (configuration.pidfile, main.field(Keys.pidfile.declaration), "the process id"),
            (configuration.usageFile, main.field(Keys.usageFile.declaration), "what is counted"),
            (configuration.history?.file, history?.field(HistoryKeys.file.declaration), "the history"),
        ]
        for (path, field, content) in files {
            guard let path, let field else { continue }
            if let other = taken[path] {
                pass.error(
                    at: field.place, field.path, "\(other) is written to the same file",
                    advice: "give \(content) a file of its own")
            }
            taken[path] = content
        }
    }

    /// Whether the file asks for anything: entries that are not enabled and includes that match nothing are
    /// meant so.
    private func hasEntries(_ file: MappingReader) -> Bool {
        file.field(Keys.include) != nil
            || [Keys.servers, Keys.tunnels].contains { key in
                guard let node = file.field(key)?.node else { return false }
                return node.sequence.map { !$0.isEmpty } ?? true
            }
    }

    private func child(
        of reader: MappingReader, _ key: KeyDeclaration, _ section: ConfigurationSection
    ) -> MappingReader? {
        reader.field(key).flatMap { MappingReader($0, section, pass: pass) }
    }

    private func refuseName(in defaults: MappingReader) {
        guard let field = defaults.field(Keys.name.declaration) else { return }
        pass.error(
            at: field.keyPlace, field.path, "a name cannot be a default: names are unique",
            advice: "move it into the entries")
    }

    private func entries(
        of file: MappingReader, _ key: KeyDeclaration, _ section: ConfigurationSection,
        _ defaults: MappingReader?
    ) -> [ConfigurationEntry] {
        file.items(key).compactMap { item in
            let path = label(of: item.node).map { "\(key.name)[\($0)]" } ?? item.path
            guard
                var reader = MappingReader(
                    item.item(item.node, path: path), section, defaults: defaults, pass: pass)
            else { return nil }
            let isEnabled = reader.value(Keys.enabled)
            // What an entry that is not run would need may be missing.
            if !isEnabled { reader.isOffline = true }
            return ConfigurationEntry(reader: reader, isEnabled: isEnabled)
        }
    }

    /// The name by which problems call an entry, if it has a good one.
    private func label(of node: YAMLNode) -> String? {
        let entry = node.mapping?.first { $0.key == Keys.name.declaration.name }
        return entry?.value.scalar.flatMap { TextRule.isName($0.text) ? $0.text : nil }
    }

    private func log(_ file: MappingReader) -> LogConfiguration {
        guard let log = child(of: file, Keys.log, .log) else { return LogConfiguration() }
        var destination = LogConfiguration.Destination.standardError
        let path = log.value(Keys.file)
        if path != Keys.file.defaultValue {
            let resolved = log.file.resolve(path)
            log.checkFolder(of: resolved, Keys.file.declaration)
            destination = .file(path: resolved)
        }
        return LogConfiguration(
            level: log.value(Keys.level), format: log.value(Keys.format), destination: destination,
            syslog: log.value(Keys.syslog))
    }

    private func fileToWrite(_ file: MappingReader, _ key: ScalarKey<String?>) -> String? {
        guard let path = file.resolvedPath(key) else { return nil }
        file.checkFolder(of: path, key.declaration)
        return path
    }

    func controlSocket(_ file: MappingReader) -> String? {
        guard let path = fileToWrite(file, Keys.controlSocket),
            let field = file.field(Keys.controlSocket.declaration)
        else { return nil }
        if path.utf8.count > Self.longestSocketPath {
            pass.error(
                at: field.place, field.path,
                "\(Quotation.of(path)) has \(path.utf8.count) bytes, too many for a Unix socket",
                advice: "choose a path of \(Self.longestSocketPath) bytes or fewer")
        }
        return path
    }

    /// `sun_path` has 108 bytes, one of them for the NUL (unix(7)).
    private static let longestSocketPath = 107
}
