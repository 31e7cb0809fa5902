import TunnelProtocol
import YAMLDocument

extension MappingReader {
    /// Decodes an entry of `servers`, or checks the values of `defaults.server`.
    /// - Returns: nil when it has no usable name; other problems are recorded and defaults stand in.
    func server(isDefaults: Bool = false) -> ServerConfiguration? {
        if !isDefaults {
            require(
                Keys.name.declaration, advice: "name it; the name is its identity in logs and across reloads")
        }
        let name = value(Keys.name)
        let maxClients = value(Keys.maxClientsPerToken)
        var passwords = listedPasswords()
        for (token, more) in passwordsFromFile() { passwords[token, default: []].formUnion(more) }
        let server = ServerConfiguration(
            name: name ?? "", host: value(Keys.host), port: value(Keys.port), basePath: value(Keys.basePath),
            wsTimeout: value(Keys.wsTimeout), httpTimeout: value(Keys.httpTimeout),
            queueTimeout: value(Keys.queueTimeout), maxRequestsPerTunnel: value(Keys.maxRequestsPerTunnel),
            maxClientsPerToken: maxClients == 0 ? nil : maxClients, passwords: passwords,
            trustedProxies: trustedProxies(), onlyListedTokens: value(Keys.onlyListedTokens),
            hosts: tokensOfHosts(), reusePort: value(Keys.reusePort))
        if !isDefaults { warnWhenNobodyMayConnect() }
        return name == nil ? nil : server
    }

    private func trustedProxies() -> [AddressRange] {
        items(Keys.trustedProxies).compactMap { item in
            guard let text = text(of: item)?.text else { return nil }
            let range = AddressRange(text)
            if range == nil {
                pass.error(
                    at: item.place, item.path, "\(Quotation.of(text)) is no IP address or range of them",
                    advice: "write one like 127.0.0.1, 10.0.0.0/8 or 2001:db8::/32")
            }
            return range
        }
    }

    private func listedPasswords() -> [RendezvousToken: Set<Secret>] {
        var passwords: [RendezvousToken: Set<Secret>] = [:]
        var lines: [RendezvousToken: Int] = [:]
        for item in items(Keys.passwordEntries) {
            guard let entry = MappingReader(item, .passwordEntry, isOffline: isOffline, pass: pass)
            else { continue }
            let read = entry.tokenAndPasswords(needsPassword: true, isDefaults: false)
            guard let token = read.token, let source = read.tokenSource else { continue }
            if let line = lines[token] {
                pass.error(
                    at: source.place, source.path, "the token is the same as in the entry at line \(line)",
                    advice: "put both passwords into one entry, under \"passwords\"")
            }
            lines[token] = item.node.mark.line
            passwords[token, default: []].formUnion(read.passwords)
        }
        return passwords
    }

    private func tokensOfHosts() -> [String: RendezvousToken] {
        var tokens: [String: RendezvousToken] = [:]
        var lines: [String: Int] = [:]
        for item in items(Keys.hosts) {
            guard let entry = MappingReader(item, .hostEntry, isOffline: isOffline, pass: pass)
            else { continue }
            entry.require(
                Keys.requestHost.declaration, advice: "add the Host of the requests, such as www.example.com")
            let host = entry.value(Keys.requestHost)
            let token = entry.tokenAlone()
            guard let host else { continue }
            if let line = lines[host] {
                let field = entry.field(Keys.requestHost.declaration)
                pass.error(
                    at: field?.place ?? entry.place, field?.path ?? entry.path,
                    "\(Quotation.of(host)) is already the host of the entry at line \(line)",
                    advice: "keep one of them: a host goes to one token")
                continue
            }
            lines[host] = item.node.mark.line
            tokens[host] = token
        }
        return tokens
    }

    private func warnWhenNobodyMayConnect() {
        guard value(Keys.onlyListedTokens), field(Keys.passwordEntries) == nil,
            field(Keys.passwordsFile.declaration) == nil,
            let field = field(Keys.onlyListedTokens.declaration)
        else { return }
        pass.warning(
            at: field.place, field.path, "no token is listed, so no tunnel client may connect",
            advice: "add \"passwords\" or \"passwords-file\"")
    }

    /// `token:password`, a line each; empty lines and lines that start with `#` are skipped. Two lines with
    /// one token: either password is good.
    private func passwordsFromFile() -> [RendezvousToken: Set<Secret>] {
        guard let field = field(Keys.passwordsFile.declaration), let path = value(Keys.passwordsFile),
            !isOffline
        else { return [:] }
        let resolved = field.file.resolve(path)
        switch pass.readFile(resolved, sizeLimit: LoadingPass.passwordsSizeLimit) {
        case .failure(let error):
            pass.error(
                at: field.place, field.path, "cannot read \(Quotation.of(resolved)): \(error)",
                advice: error.fileAdvice)
            return [:]
        case .success(let file):
            if file.isWorldReadable {
                pass.warning(
                    at: field.place, field.path,
                    "every user of this machine can read \(Quotation.of(resolved))",
                    advice: "chmod o-r the file")
            }
            return passwords(in: file.bytes, resolved, field)
        }
    }

    private func passwords(in bytes: [UInt8], _ file: String, _ field: Field) -> [RendezvousToken: Set<
        Secret
    >] {
        var passwords: [RendezvousToken: Set<Secret>] = [:]
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        for (index, rawLine) in lines.enumerated() {
            let line = rawLine.last == 0x0d ? rawLine.dropLast() : rawLine
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            let fault: (message: String, advice: String)
            if let text = String(validating: line, as: UTF8.self), let colon = text.firstIndex(of: ":") {
                let password = text[text.index(after: colon)...]
                do {
                    let token = try RendezvousToken(String(text[..<colon]))
                    guard password.isEmpty else {
                        passwords[token, default: []].insert(Secret(String(password)))
                        continue
                    }
                    fault = ("nothing follows the colon", "write token:password")
                } catch {
                    fault = error.explanation(for: String(text[..<colon]))
                }
            } else {
                fault = ("the line is no token:password in UTF-8", "write token:password, or # for a comment")
            }
            pass.report(
                ConfigurationProblem(
                    severity: .error, file: file, place: .init(line: index + 1, column: 1), path: field.path,
                    message: fault.message, advice: fault.advice))
        }
        return passwords
    }
}
