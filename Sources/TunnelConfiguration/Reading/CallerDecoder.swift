import HTTPMessage
import TunnelProtocol
import YAMLDocument

extension MappingReader {
    /// Decodes `callers` of a server, or of an entry of its `passwords` or `hosts`.
    ///
    /// - Parameter hasAuthority: whether somebody vouches for the certificates of callers.
    /// - Returns: nil where there is none; problems are recorded.
    func callerRules(hasAuthority: Bool) -> CallerRules? {
        guard let field = field(CallerKeys.callers) else { return nil }
        guard let reader = MappingReader(field, .callers, isOffline: isOffline, pass: pass) else {
            return nil
        }
        let headers = reader.field(CallerKeys.headers)
            .flatMap { MappingReader($0, .callerHeaders, isOffline: isOffline, pass: pass) }
        return CallerRules(
            allowed: reader.addresses(CallerKeys.allowFrom, CallerKeys.allowFromFile),
            denied: reader.addresses(CallerKeys.denyFrom, CallerKeys.denyFromFile) ?? [],
            login: reader.login(), certificate: reader.certificateRule(hasAuthority: hasAuthority),
            methods: reader.methods(), maximumBody: reader.value(CallerKeys.maxBody),
            hasRequestID: reader.value(CallerKeys.requestID), maintenance: reader.maintenance(),
            requestFields: headers?.changes(CallerKeys.requestHeaders, .request) ?? FieldChanges(),
            responseFields: headers?.changes(CallerKeys.responseHeaders, .response) ?? FieldChanges())
    }

    // MARK: Addresses

    /// - Returns: nil where neither key is there.
    private func addresses(_ key: KeyDeclaration, _ fileKey: ScalarKey<String?>) -> [AddressRange]? {
        guard field(key) != nil || field(fileKey.declaration) != nil else { return nil }
        refuseEmptyList(
            key,
            advice: key == CallerKeys.allowFrom
                ? "list an address: nobody could call; or remove the key" : "remove the key")
        return addressRanges(key)
            + lines(ofFile: fileKey, "addresses").compactMap {
                addressRange($0.text, at: $0.place, $0.path)
            }
    }

    // MARK: Files

    /// A line of a file that a key names.
    private struct FileLine {
        let text: String
        let place: SourcePlace
        let path: String
    }

    /// The lines of a file, without empty ones and those that begin with `#`; none where it is not read.
    ///
    /// - Parameters:
    ///   - content: what they are, for messages. A file without any is an error: it may be cut off, or not written yet.
    ///   - isSecret: whether others must not be able to read it.
    private func lines(
        ofFile key: ScalarKey<String?>, _ content: String, isSecret: Bool = false
    ) -> [FileLine] {
        guard let field = field(key.declaration), let path = value(key), !isOffline else { return [] }
        let resolved = field.file.resolve(path)
        guard let bytes = bytes(at: resolved, field, isSecret: isSecret) else { return [] }
        let file = SourceFile(path: resolved)
        var lines: [FileLine] = []
        for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            let place = SourcePlace(file, YAMLMark(line: index + 1, column: 1))
            var line = line.drop { $0 == 0x20 || $0 == 0x09 }
            while let last = line.last, last == 0x20 || last == 0x09 || last == 0x0d { line.removeLast() }
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            guard let text = String(validating: line, as: UTF8.self) else {
                pass.error(at: place, field.path, "the line is no UTF-8", advice: "write it as UTF-8")
                continue
            }
            lines.append(FileLine(text: text, place: place, path: field.path))
        }
        if lines.isEmpty {
            pass.error(
                at: field.place, field.path, "\(Quotation.of(resolved)) holds no \(content)",
                advice: "put a line into it, or take the key out")
        }
        return lines
    }

    private func bytes(at path: String, _ field: Field, isSecret: Bool) -> [UInt8]? {
        if isSecret { return secretBytes(at: path, field, sizeLimit: LoadingPass.passwordsSizeLimit) }
        switch pass.readFile(path, sizeLimit: LoadingPass.passwordsSizeLimit) {
        case .success(let file): return SecretText.withoutMark(file.bytes)
        case .failure(let error):
            pass.error(
                at: field.place, field.path, "cannot read \(Quotation.of(path)): \(error)",
                advice: error.fileAdvice)
            return nil
        }
    }

    // MARK: Who calls

    private func login() -> CallerRules.Login? {
        let bearerFields = keysPresent(inGroup: "bearer")
        let loginFields =
            [CallerKeys.users, CallerKeys.usersFile.declaration].compactMap(field) + bearerFields
        let isAnonymous = value(CallerKeys.anonymous)
        if isAnonymous, let other = loginFields.first {
            pass.error(
                at: other.keyPlace, path, "nobody has to log in beside anonymous: true",
                advice: "keep one of the two")
        }
        guard !loginFields.isEmpty else { return isAnonymous ? .anonymous : nil }
        return .listed(users: users(), bearers: bearers())
    }

    private func users() -> [String: PasswordHash] {
        var users: [String: PasswordHash] = [:]
        func take(_ text: String, at place: SourcePlace, _ path: String) {
            do throws(ValueFault) {
                let (name, hash) = try CallerText.user(text)
                guard users.updateValue(hash, forKey: name) == nil else {
                    throw ValueFault(
                        "\(Quotation.of(name)) is listed twice", advice: "keep one of the two")
                }
            } catch {
                pass.error(at: place, path, error.message, advice: error.advice)
            }
        }
        for item in secretItems(CallerKeys.users) { take(item.text, at: item.place, item.path) }
        for line in lines(ofFile: CallerKeys.usersFile, "name:hash", isSecret: true) {
            take(line.text, at: line.place, line.path)
        }
        return users
    }

    private func bearers() -> Set<Secret> {
        var found = secretItems(CallerKeys.bearer)
        found += lines(ofFile: CallerKeys.bearerFile, "secrets", isSecret: true)
            .map { FoundSecret(text: $0.text, place: $0.place, path: $0.path) }
        if let field = field(CallerKeys.bearerCommand), let secret = commandSecret(field) {
            found.append(secret)
        }
        var bearers: Set<Secret> = []
        for secret in found {
            checkPlaceholder(secret.text, at: secret.place, secret.path)
            do throws(ValueFault) {
                bearers.insert(Secret(try CallerText.bearer(secret.text)))
            } catch {
                pass.error(at: secret.place, secret.path, error.message, advice: error.advice)
            }
        }
        return bearers
    }

    /// The items of a list of secrets; an empty list is an error.
    private func secretItems(_ key: KeyDeclaration) -> [FoundSecret] {
        refuseEmptyList(key, advice: "give one; anonymous: true is for nobody has to log in")
        return items(key).compactMap(literalSecret)
    }

    private func certificateRule(hasAuthority: Bool) -> CallerRules.CertificateRule? {
        let demand = value(CallerKeys.certificates)
        let names = texts(CallerKeys.certificateNames).map { NameGlob($0.text.lowercased()) }
        if demand == CallerKeys.CertificateDemand.none, let field = field(CallerKeys.certificateNames) {
            pass.error(
                at: field.keyPlace, path, "a name is asked for beside client-certificates: none",
                advice: "keep one of the two")
        }
        guard demand == .required || !names.isEmpty else {
            return demand == nil ? nil : CallerRules.CertificateRule.none
        }
        if !hasAuthority,
            let field = field(CallerKeys.certificateNames) ?? field(CallerKeys.certificates.declaration)
        {
            pass.error(
                at: field.place, field.path, "callers show no certificates here: nobody vouches for them",
                advice: "add tls: { client-ca: … } to the server, or remove it")
        }
        return .required(names: Set(names))
    }

    // MARK: What is asked for

    private func methods() -> Set<String>? {
        guard field(CallerKeys.methods) != nil else { return nil }
        var methods: Set<String> = []
        for (text, field) in texts(CallerKeys.methods) {
            do throws(ValueFault) {
                methods.insert(try CallerText.method(text))
            } catch {
                pass.error(at: field.place, field.path, error.message, advice: error.advice)
            }
        }
        return methods
    }

    // MARK: What becomes of it

    private func maintenance() -> CallerRules.Maintenance? {
        guard let field = field(CallerKeys.maintenance) else { return nil }
        guard field.node.mapping != nil else {
            guard let text = text(of: field) else { return nil }
            do throws(ValueFault) {
                return try ValueRule.boolean(text) ? .on(MaintenanceAnswer()) : .off
            } catch {
                pass.error(
                    at: field.place, field.path, error.message,
                    advice: "write true, false, or a mapping with status, file and retry-after")
                return nil
            }
        }
        return MappingReader(field, .maintenance, isOffline: isOffline, pass: pass).map { reader in
            .on(
                MaintenanceAnswer(
                    status: reader.value(CallerKeys.status), page: reader.page(),
                    retryAfter: reader.value(CallerKeys.retryAfter)))
        }
    }

    private func page() -> MaintenanceAnswer.Page? {
        guard let field = field(CallerKeys.page.declaration), let path = resolvedPath(CallerKeys.page),
            !isOffline
        else { return nil }
        switch pass.readFile(path, sizeLimit: LoadingPass.pageSizeLimit) {
        case .failure(let error):
            pass.error(
                at: field.place, field.path, "cannot read \(Quotation.of(path)): \(error)",
                advice: error.fileAdvice)
            return nil
        case .success(let file):
            guard let text = String(validating: file.bytes, as: UTF8.self) else {
                pass.error(
                    at: field.place, field.path, "\(Quotation.of(path)) is no UTF-8 text",
                    advice: "write it as UTF-8")
                return nil
            }
            return MaintenanceAnswer.Page(path: path, text: text)
        }
    }

    private func changes(_ key: KeyDeclaration, _ direction: FieldChanges.Direction) -> FieldChanges? {
        guard let field = field(key),
            let reader = MappingReader(field, .fieldChanges, isOffline: isOffline, pass: pass)
        else { return nil }
        let removed = reader.texts(CallerKeys.removeFields).compactMap { text, field in
            reader.fieldName(text, direction, at: field.place, field.path)
        }
        return FieldChanges(
            set: reader.settings(CallerKeys.setFields, direction),
            added: reader.settings(CallerKeys.addFields, direction), removed: removed)
    }

    private func settings(
        _ key: KeyDeclaration, _ direction: FieldChanges.Direction
    ) -> [FieldChanges.Setting] {
        guard let field = field(key) else { return [] }
        guard let entries = field.node.mapping else {
            pass.error(
                at: field.place, field.path, "expected a mapping, got \(field.node.kindName)",
                advice: "write Name: value lines")
            return []
        }
        return entries.compactMap { entry in
            let value = Field(
                node: entry.value, keyMark: entry.keyMark, path: field.path, file: field.file)
            guard let name = fieldName(entry.key, direction, at: value.keyPlace, value.path),
                let text = text(of: value)
            else { return nil }
            do throws(FieldTemplate.Fault) {
                return FieldChanges.Setting(name, try FieldTemplate(text.text))
            } catch {
                let fault = CallerText.explanation(of: error)
                pass.error(at: value.place, value.path, fault.message, advice: fault.advice)
                return nil
            }
        }
    }

    private func fieldName(
        _ name: String, _ direction: FieldChanges.Direction, at place: SourcePlace, _ path: String
    ) -> String? {
        guard FieldChanges.isName(name) else {
            pass.error(
                at: place, path, "\(Quotation.of(name)) is no name of a field",
                advice: "write one like X-Frame-Options")
            return nil
        }
        guard !FieldChanges.isOurs(name, in: direction) else {
            pass.error(
                at: place, path, "\(Quotation.of(name)) is not to be changed: wstunnel sees to it itself",
                advice: CallerText.advice(forOurs: name))
            return nil
        }
        return name
    }
}
