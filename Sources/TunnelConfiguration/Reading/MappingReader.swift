import YAMLDocument

/// Reads the mapping of one section: refuses keys that the section does not take, fills in `defaults`, and
/// turns scalars into values.
struct MappingReader {
    /// A value in a file with the name that problems call it by.
    struct Field {
        let node: YAMLNode
        let keyMark: YAMLMark
        let path: String
        /// Where it stands: a value of `defaults` keeps the file of `defaults`.
        let file: SourceFile

        var place: SourcePlace { SourcePlace(file, node.mark) }
        var keyPlace: SourcePlace { SourcePlace(file, keyMark) }

        /// An item of the list that stands here.
        /// - Parameter path: what problems call it; nil for the name of the list.
        func item(_ node: YAMLNode, path: String? = nil) -> Field {
            Field(node: node, keyMark: node.mark, path: path ?? self.path, file: file)
        }

        /// The items of the list that stands here, numbered.
        func items(_ nodes: [YAMLNode]) -> [Field] {
            nodes.enumerated().map { index, node in item(node, path: "\(path)[#\(index + 1)]") }
        }
    }

    let pass: LoadingPass
    let section: ConfigurationSection
    /// Such as `tunnels[web]`; empty for a whole file.
    let path: String
    let place: SourcePlace
    /// Whether only the form is looked at: nothing outside the file is asked for.
    var isOffline: Bool
    private var fields: [String: Field] = [:]
    /// Keys that an unknown one was probably meant for: they are not missing, they are misspelt.
    private var misspelt: Set<String> = []

    var file: SourceFile { place.file }

    /// - Parameters:
    ///   - defaults: the values that stand in for absent keys.
    ///   - isOffline: nil for what the whole reading is.
    /// - Returns: nil when the node is no mapping; a problem is recorded.
    init?(
        _ root: Field, _ section: ConfigurationSection, defaults: Self? = nil, isOffline: Bool? = nil,
        pass: LoadingPass
    ) {
        guard let entries = root.node.mapping else {
            pass.error(
                at: root.place, root.path, "expected a mapping, got \(root.node.kindName)",
                advice: "write key: value lines")
            return nil
        }
        self.pass = pass
        self.section = section
        self.path = root.path
        self.place = root.place
        self.isOffline = isOffline ?? pass.options.isOffline
        var groups: Set<String> = []
        for entry in entries {
            guard let declaration = section.declaration(of: entry.key) else {
                if section.takesOwnKeys, entry.key.hasPrefix(ConfigurationSection.ownKeyPrefix) { continue }
                if let name = reportUnknown(entry) { misspelt.insert(name) }
                continue
            }
            if let group = declaration.group { groups.insert(group) }
            fields[entry.key] = Field(
                node: entry.value, keyMark: entry.keyMark, path: Self.join(path, entry.key), file: root.file)
        }
        for (name, field) in defaults?.fields ?? [:] where fields[name] == nil {
            if let group = section.declaration(of: name)?.group, groups.contains(group) { continue }
            fields[name] = field
        }
    }

    func field(_ key: KeyDeclaration) -> Field? { fields[key.name] }

    /// The value of a scalar key, or its default when the key is absent or its value cannot be taken (then a
    /// problem is recorded).
    func value<Value>(_ key: ScalarKey<Value>) -> Value {
        guard let field = field(key.declaration), let text = text(of: field) else { return key.defaultValue }
        do {
            return try key.parse(text)
        } catch {
            pass.error(at: field.place, field.path, error.message, advice: error.advice)
            return key.defaultValue
        }
    }

    /// The value of a scalar key, its default when it is absent, and nil when it cannot be taken.
    func goodValue<Value>(_ key: ScalarKey<Value>) -> Value? {
        guard let field = field(key.declaration) else { return key.defaultValue }
        guard let text = text(of: field) else { return nil }
        return try? key.parse(text)
    }

    /// The value of a key for a path, made to start where the file that it stands in does.
    func resolvedPath(_ key: ScalarKey<String?>) -> String? {
        guard let field = field(key.declaration), let path = value(key) else { return nil }
        return field.file.resolve(path)
    }

    /// The expanded scalar of a field, or nil: no scalar or null (a problem is recorded), or unknown offline.
    func text(of field: Field) -> ValueText? {
        guard let scalar = field.node.scalar else {
            pass.error(
                at: field.place, field.path, "expected one value, got \(field.node.kindName)",
                advice: "write the value alone")
            return nil
        }
        guard !scalar.isNull else {
            pass.error(
                at: field.place, field.path, "there is no value", advice: "give one, or remove the key")
            return nil
        }
        return pass.expand(scalar, at: field.place, field.path, isOffline: isOffline)
    }

    /// The items of a list key, numbered; empty when it is absent or no list (a problem is recorded).
    func items(_ key: KeyDeclaration) -> [Field] {
        guard let field = field(key) else { return [] }
        guard let items = field.node.sequence else {
            pass.error(
                at: field.place, field.path, "expected a list, got \(field.node.kindName)",
                advice: Self.listAdvice(field.node, key))
            return []
        }
        return field.items(items)
    }

    private static func listAdvice(_ node: YAMLNode, _ key: KeyDeclaration) -> String {
        if node.mapping != nil, case .list(let section) = key.shape,
            section.keys.first?.name == Keys.name.declaration.name
        {
            return "start each entry with \"- name: \" in place of its name as a key"
        }
        return node.scalar?.isNull == true
            ? "start each entry with \"- \", or write [] for none" : "start each entry with \"- \""
    }

    /// Whether a key without which the entry means nothing is there.
    func require(_ key: KeyDeclaration, advice: String) {
        guard fields[key.name] == nil, !misses(key) else { return }
        pass.error(at: place, path, "\"\(key.name)\" is missing", advice: advice)
    }

    /// A file that the agent will write needs a folder to be in.
    func checkFolder(of path: String, _ key: KeyDeclaration) {
        guard !isOffline, let field = field(key),
            let slash = path.lastIndex(of: "/"), slash > path.startIndex
        else { return }
        let folder = String(path[..<slash])
        guard pass.source.kind(ofPath: folder) != .folder else { return }
        pass.error(
            at: field.place, field.path, "the folder \(Quotation.of(folder)) does not exist",
            advice: "create it or correct the path")
    }

    /// Whether a key is absent because it is misspelt, which is reported already.
    func misses(_ key: KeyDeclaration) -> Bool {
        !misspelt.isEmpty
            && section.keys.contains { other in
                misspelt.contains(other.name)
                    && (other == key || (key.group != nil && other.group == key.group))
            }
    }

    /// - Returns: the key that was probably meant.
    private func reportUnknown(_ entry: YAMLEntry) -> String? {
        let keyPlace = SourcePlace(file, entry.keyMark)
        if section == .included, ConfigurationSection.root.declaration(of: entry.key) != nil {
            pass.error(
                at: keyPlace, path, "\"\(entry.key)\" cannot stand in an included file",
                advice: entry.key == Keys.defaults.name
                    ? "move it into the main file: it holds for included entries too"
                    : "move it into the main file")
            return nil
        }
        // Looking for near misses takes time: none for a report that nobody will see.
        guard pass.errorCount < LoadingPass.keptProblems else {
            pass.error(at: keyPlace, path, "unknown key")
            return nil
        }
        let names = section.keys.map(\.name)
        let foreign = ForeignKeys.advice(for: entry.key, in: section)
        let near =
            NearMiss.same(as: entry.key, among: names)
            ?? (foreign == nil ? NearMiss.nearest(to: entry.key, among: names) : nil)
        let others = ConfigurationSection.allCases.filter { other in
            other != section && other.keys.contains { $0.name == entry.key }
        }
        if near == nil, foreign == nil, others.isEmpty, entry.value.scalar?.isNull == true {
            // What follows a comma in an unquoted password looks so.
            pass.error(
                at: keyPlace, path, "unknown key without a value",
                advice: "remove it, or quote the value before it if it is a part of that")
            return nil
        }
        let advice: String
        if let near {
            advice = "did you mean \"\(near)\"?"
        } else if let foreign {
            advice = foreign
        } else if let other = others.first {
            advice = "\"\(entry.key)\" is a key of \(other.title)"
        } else if pass.isFirstList(of: section, at: keyPlace) {
            advice = "the keys here are \(names.joined(separator: ", "))"
        } else {
            advice = "remove it, or correct it"
        }
        let isKnown = near != nil || foreign != nil || !others.isEmpty
        let isShown = isKnown || section != .passwordEntry && KeyText.isPlain(entry.key)
        pass.error(
            at: keyPlace, path, "unknown key \(KeyText.shown(entry.key, whole: isShown))", advice: advice)
        return near
    }

    private static func join(_ path: String, _ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }
}

extension YAMLNode {
    /// How a message names what stands there.
    var kindName: String {
        switch content {
        case .scalar(let scalar): scalar.isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

extension ConfigurationSection {
    /// How a message names the section.
    var title: String {
        switch self {
        case .root: "the whole file"
        case .included: "an included file"
        case .log: "\"log\""
        case .admin: "\"admin\""
        case .adminTLS: "\"tls\" of \"admin\""
        case .defaults: "\"defaults\""
        case .server: "an entry of \"servers\""
        case .tls: "a server's \"tls\""
        case .certificate: "an entry of \"certificates\""
        case .passwordEntry: "an entry of a server's \"passwords\""
        case .hostEntry: "an entry of a server's \"hosts\""
        case .hostClaims: "a server's \"host-claims\""
        case .tokenHostClaims: "\"host-claims\" of an entry of \"passwords\""
        case .tunnel: "an entry of \"tunnels\""
        case .originTLS: "an entry of a tunnel's \"origin-tls\""
        case .callers: "\"callers\""
        case .callerHeaders: "\"headers\" of \"callers\""
        case .fieldChanges: "\"request\" or \"response\" of \"headers\""
        case .maintenance: "\"maintenance\" of \"callers\""
        case .serverInnerTLS: "a server's \"inner-tls\""
        case .tunnelInnerTLS: "a tunnel's \"inner-tls\""
        case .portEntry: "an entry of a server's \"ports\""
        case .limits: "a server's \"limits\""
        case .ban: "a server's \"ban\""
        case .addressLimits: "\"per-address\""
        case .requestLimits: "\"per-name\" and the like"
        case .tokenLimits: "\"per-token\" and the \"limits\" of a token"
        case .health: "a tunnel's \"health\""
        case .loadShedding: "\"load-shedding\""
        case .tracing: "\"tracing\""
        case .tracingHeader: "an entry of \"headers\" of \"tracing\""
        case .webhook: "an entry of \"webhooks\""
        case .history: "\"history\""
        }
    }
}
