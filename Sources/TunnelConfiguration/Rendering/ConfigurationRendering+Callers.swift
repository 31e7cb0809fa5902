import HTTPMessage

/// Who may call.
extension ConfigurationRendering {
    static func write(_ rules: CallerRules?, _ indentation: Int, to text: inout ConfigurationText) {
        guard let rules else { return }
        var lines = ConfigurationText()
        let inner = indentation + 2
        if let allowed = rules.allowed { write(allowed, inner, CallerKeys.allowFrom, to: &lines) }
        if !rules.denied.isEmpty { write(rules.denied, inner, CallerKeys.denyFrom, to: &lines) }
        write(rules.login, inner, to: &lines)
        switch rules.certificate {
        case nil: break
        case .some(.none): lines.entry(inner, CallerKeys.certificates, plain: "none")
        case .required(let names):
            lines.entry(inner, CallerKeys.certificates, plain: "required")
            lines.texts(inner, CallerKeys.certificateNames, names.map(\.text))
        }
        lines.texts(inner, CallerKeys.methods, Array(rules.methods ?? []))
        lines.entry(inner, CallerKeys.maxBody, plain: rules.maximumBody.map(ByteCountText.format))
        if !(rules.requestFields.isEmpty && rules.responseFields.isEmpty) {
            lines.line(inner, "\(CallerKeys.headers.name):")
            write(rules.requestFields, inner + 2, CallerKeys.requestHeaders, to: &lines)
            write(rules.responseFields, inner + 2, CallerKeys.responseHeaders, to: &lines)
        }
        lines.entry(inner, CallerKeys.requestID, plain: rules.hasRequestID)
        write(rules.maintenance, inner, to: &lines)
        text.line(indentation, "\(CallerKeys.callers.name):" + (lines.text.isEmpty ? " {}" : ""))
        text.append(lines)
    }

    private static func write(
        _ ranges: [AddressRange], _ indentation: Int, _ key: KeyDeclaration, to text: inout ConfigurationText
    ) {
        let list = ranges.map { ConfigurationText.quoted($0.description) }.joined(separator: ", ")
        text.line(indentation, "\(key.name): [\(list)]")
    }

    private static func write(
        _ login: CallerRules.Login?, _ indentation: Int, to text: inout ConfigurationText
    ) {
        switch login {
        case nil: break
        case .anonymous: text.entry(indentation, CallerKeys.anonymous, plain: true)
        case .listed(let users, let bearers):
            for (key, count) in [(CallerKeys.users, users.count), (CallerKeys.bearer, bearers.count)]
            where count > 0 {
                let stars = Array(repeating: "\"\(Secret.stars)\"", count: count).joined(separator: ", ")
                text.line(indentation, "\(key.name): [\(stars)]")
            }
        }
    }

    private static func write(
        _ changes: FieldChanges, _ indentation: Int, _ key: KeyDeclaration, to text: inout ConfigurationText
    ) {
        guard !changes.isEmpty else { return }
        text.line(indentation, "\(key.name):")
        for (key, settings) in [(CallerKeys.setFields, changes.set), (CallerKeys.addFields, changes.added)]
        where !settings.isEmpty {
            text.line(indentation + 2, "\(key.name):")
            for setting in settings {
                let value = setting.mayHoldSecret ? Secret.stars : setting.value.source
                text.entry(indentation + 4, ConfigurationText.quoted(setting.name), text: value)
            }
        }
        // In their order: the configuration has it.
        let removed = changes.removed.map(ConfigurationText.quoted).joined(separator: ", ")
        if !removed.isEmpty {
            text.line(indentation + 2, "\(CallerKeys.removeFields.name): [\(removed)]")
        }
    }

    private static func write(
        _ maintenance: CallerRules.Maintenance?, _ indentation: Int, to text: inout ConfigurationText
    ) {
        switch maintenance {
        case nil: break
        case .off: text.line(indentation, "\(CallerKeys.maintenance.name): false")
        case .on(let answer):
            text.line(indentation, "\(CallerKeys.maintenance.name):")
            text.entry(indentation + 2, CallerKeys.status, plain: answer.status)
            text.entry(indentation + 2, CallerKeys.page, text: answer.page?.path)
            text.entry(
                indentation + 2, CallerKeys.retryAfter, plain: answer.retryAfter.map(DurationText.format))
        }
    }
}

extension FieldChanges.Setting {
    /// Whether its name says that the value is nobody's business.
    fileprivate var mayHoldSecret: Bool {
        let name = name.lowercased()
        return ["auth", "cookie", "key", "pass", "secret", "token"].contains(where: name.contains)
            && !value.hasVariables
    }
}
