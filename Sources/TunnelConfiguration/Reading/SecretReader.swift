import YAMLDocument

/// A secret with the place that problems about it point to.
struct FoundSecret {
    let text: String
    let place: SourcePlace
    let path: String
}

extension MappingReader {
    /// The secret of a group of twins: the text itself, the first line of a file, or of a command's output.
    ///
    /// Nil when there is none, when it cannot be read (a problem is recorded), or when it is unknown offline.
    func secret(_ keys: SecretKeys) -> FoundSecret? {
        if let field = field(keys.literal) { return literalSecret(field) }
        if let field = field(keys.file.declaration) {
            let path = value(keys.file)
            guard let path, !isOffline else { return nil }
            return fileSecret(field, path)
        }
        guard let field = field(keys.command) else { return nil }
        return commandSecret(field)
    }

    /// Which keys of a group the entry has, in the order of the table; more than one is recorded as a problem.
    func keysPresent(inGroup group: String) -> [Field] {
        let present = section.keys.filter { $0.group == group && field($0) != nil }
        let fields = present.compactMap(field)
        if present.count > 1, let second = fields.max(by: { $0.keyMark < $1.keyMark }) {
            let names = present.map { "\"\($0.name)\"" }.joined(separator: " and ")
            pass.error(at: second.keyPlace, path, "\(names) exclude each other", advice: "keep one of them")
        }
        return fields
    }

    /// A literal secret; also for the items of a list of secrets.
    func literalSecret(_ field: Field) -> FoundSecret? {
        guard let scalar = field.node.scalar, !scalar.isNull else {
            let isNothing = field.node.scalar != nil
            pass.error(
                at: field.place, field.path,
                isNothing ? "there is no value" : "expected one value, got \(field.node.kindName)",
                advice: isNothing
                    ? "give one, in quotes if it starts with \"#\" or \"&\""
                    : "write the value alone, in quotes if it starts with \"{\" or \"[\"")
            return nil
        }
        guard let text = text(of: field) else { return nil }
        if field.file.isWorldReadable, let written = field.node.scalar?.text, !written.contains("${") {
            pass.warning(
                at: field.place, field.path,
                "a secret stands in a file that every user of this machine can read",
                advice: "chmod o-r the file, or use the -file or -command form of the key")
        }
        return found(text.text, field)
    }

    /// Complains of a secret that nobody has filled in. An entry that is not run may wait for that.
    func checkPlaceholder(
        _ secret: String, at place: SourcePlace, _ path: String,
        _ severity: ConfigurationProblem.Severity = .warning
    ) {
        guard isOffline == pass.options.isOffline, let fault = PlaceholderText.fault(in: secret) else {
            return
        }
        switch severity {
        case .error: pass.error(at: place, path, fault.message, advice: fault.advice)
        case .warning: pass.warning(at: place, path, fault.message, advice: fault.advice)
        }
    }

    private func fileSecret(_ field: Field, _ path: String) -> FoundSecret? {
        let resolved = field.file.resolve(path)
        guard let bytes = secretBytes(at: resolved, field, sizeLimit: LoadingPass.secretSizeLimit) else {
            return nil
        }
        let line = bytes.prefix { $0 != 0x0a }
        return found(bytes: line.last == 0x0d ? line.dropLast() : line, field, Quotation.of(resolved))
    }

    /// What a file with secrets holds, without a byte order mark. That others can read it is a warning.
    ///
    /// - Parameters:
    ///   - resolved: the path, as `field` names it.
    ///   - sizeLimit: in bytes.
    /// - Returns: nil when it cannot be read: a problem is recorded.
    func secretBytes(at resolved: String, _ field: Field, sizeLimit: Int) -> [UInt8]? {
        switch pass.readFile(resolved, sizeLimit: sizeLimit) {
        case .failure(let error):
            pass.error(
                at: field.place, field.path, "cannot read \(Quotation.of(resolved)): \(error)",
                advice: error.fileAdvice)
            return nil
        case .success(let file):
            if file.isWorldReadable {
                pass.warning(
                    at: field.place, field.path,
                    "every user of this machine can read \(Quotation.of(resolved))",
                    advice: "chmod o-r the file")
            }
            return SecretText.withoutMark(file.bytes)
        }
    }

    /// The first line of what a command prints.
    func commandSecret(_ field: Field) -> FoundSecret? {
        guard let items = field.node.sequence else {
            pass.error(
                at: field.place, field.path,
                "expected a list of program and arguments, got \(field.node.kindName)",
                advice: "write [program, argument, …]; no shell is involved")
            return nil
        }
        let texts = items.map { text(of: field.item($0))?.text }
        guard let program = texts.first else {
            pass.error(at: field.place, field.path, "the list is empty", advice: "name a program")
            return nil
        }
        var command = texts.compactMap { $0 }
        guard command.count == texts.count, let program, !isOffline else { return nil }
        guard !program.isEmpty, !command.contains(where: { $0.utf8.contains(0) }) else {
            pass.error(at: field.place, field.path, "the program has no name", advice: "name a program")
            return nil
        }
        if program.contains("/") { command[0] = field.file.resolve(program) }
        switch pass.runCommand(command) {
        case .failure(let error):
            pass.error(
                at: field.place, field.path, "\(Quotation.of(command[0])): \(error)",
                advice: "run the command by hand to see why")
            return nil
        case .success(let line):
            return found(
                bytes: SecretText.withoutMark(line)[...], field, "the output of \(Quotation.of(command[0]))")
        }
    }

    private func found(bytes: ArraySlice<UInt8>, _ field: Field, _ origin: String) -> FoundSecret? {
        guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) else {
            pass.error(
                at: field.place, field.path, "\(origin) is no UTF-8 text", advice: "write it as UTF-8")
            return nil
        }
        guard !text.isEmpty else {
            pass.error(
                at: field.place, field.path, "the first line of \(origin) is empty",
                advice: "put the secret there")
            return nil
        }
        return found(text, field)
    }

    private func found(_ text: String, _ field: Field) -> FoundSecret? {
        do throws(ValueFault) {
            return FoundSecret(
                text: try SecretText.cleaned(text), place: field.place, path: field.path)
        } catch {
            pass.error(at: field.place, field.path, error.message, advice: error.advice)
            return nil
        }
    }
}

extension ConfigurationSourceError {
    /// What to do about a file that cannot be read.
    var fileAdvice: String? {
        switch self {
        case .notFound:
            "create it or correct the path; relative paths start at the folder of the file that names them"
        case .notPermitted: "let the user that runs wstunnel read it"
        default: nil
        }
    }
}
