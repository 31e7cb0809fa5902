import TunnelConfiguration

extension CommandDraft {
    /// The entry of `tunnels` whose server, token and trust those flags name of which `connect` has some: it serves nothing.
    mutating func addConnection() {
        let indentation = Self.indentation
        addTunnelURL()
        entry.entry(indentation, "server", text: "builtin:echo")
        if addToken()?.password != nil {
            messages.warning("the password behind the token's colon is not used: callers need none")
        }
        entry.entry(indentation, "insecure", plain: values.booleans["insecure"])
        entry.entry(indentation, "certfile", text: path("certfile"))
        entry.entry(indentation, "pin-sha256", text: text("pin-sha256"))
        entry.entry(indentation, "server-name", text: text("server-name"))
        addProxy()
    }

    private mutating func addTunnelURL() {
        if let tunnel = text("tunnel") {
            addURL("tunnel", plainTunnel(tunnel), variable: "WSTUNNEL_TUNNEL_CREDENTIALS")
        } else {
            messages.error(
                "-tunnel is missing", advice: "name the tunnel server, such as wss://tunnel.example.com")
        }
    }

    private mutating func addProxy() {
        guard let proxy = text("proxy") else { return }
        addURL("proxy", plainProxy(proxy), variable: "WSTUNNEL_PROXY_CREDENTIALS")
    }

    /// The entry of `tunnels` that the flags of `cli` ask for.
    mutating func addTunnel() {
        let indentation = Self.indentation
        addTunnelURL()
        if text("server") == nil, text("regexp") == nil {
            messages.error(
                "neither -server nor -regexp is given, so no request could go anywhere",
                advice: "add -server http://localhost:8080, or a -regexp of the X-Host values to allow")
        }
        entry.entry(indentation, "server", text: text("server"))
        entry.entry(indentation, "regexp", text: text("regexp"))
        addSecrets()
        entry.entry(indentation, "timeout", plain: integer("timeout", default: 30, clampedTo: 3...600))
        entry.entry(indentation, "insecure", plain: values.booleans["insecure"])
        entry.entry(indentation, "certfile", text: path("certfile"))
        addProxy()
        entry.entry(indentation, "client-ports", text: text("client-ports"))
        entry.entry(indentation, "statusfile", text: path("statusfile"))
        entry.entry(
            indentation, "reconnect-delay",
            plain: integer("reconnect-delay", default: 5, clampedTo: 1...86_400))
        entry.entry(
            indentation, "max-retries", plain: integer("max-retries", default: 0, clampedTo: 0...1_000_000))
    }

    /// The Go program drops path, query and fragment; the path counts here, but for the end that is always added. What has an `@` behind it is a password that was not encoded, and an
    /// error later on.
    private mutating func plainTunnel(_ url: String) -> String {
        var url = url[...]
        if let cut = url.firstIndex(where: { "?#".contains($0) }), !url[cut...].contains("@") {
            messages.warning("-tunnel: the query or fragment behind the path is left out")
            url = url[..<cut]
        }
        let plain = url.hasSuffix("/") ? url.dropLast() : url
        if plain.hasSuffix(TunnelURL.endpoint) {
            messages.warning("-tunnel: \(TunnelURL.endpoint) is left out, it is added to the path anyway")
            url = plain.dropLast(TunnelURL.endpoint.count)
        }
        return String(url)
    }

    /// The Go program speaks plain HTTP to the proxy, whatever stands before its name.
    private mutating func plainProxy(_ url: String) -> String {
        guard url.lowercased().hasPrefix("https://") else { return url }
        messages.warning("-proxy: https:// is taken for http://, wstunnel speaks plain HTTP to proxies")
        return "http" + url.dropFirst("https".count)
    }

    private mutating func addSecrets() {
        let token = addToken()
        addPassword(of: token)
    }

    /// - Returns: the token where its text is known here.
    private mutating func addToken() -> SecretSources.Token? {
        let variable = SecretSources.tokenVariable
        let inherited = surroundings.secrets[variable].flatMap { $0.isEmpty ? nil : $0 }
        let literal = text("token")
        let file = path("token-file")
        if literal != nil, file != nil {
            messages.error("-token and -token-file are both given", advice: "keep one of them")
        }
        if inherited != nil, literal ?? file != nil {
            messages.warning("\(variable) is not used: a flag gives the token")
        }
        if literal == nil, let file {
            entry.entry(Self.indentation, "token-file", text: file)
            return nil
        }
        guard let text = literal ?? inherited else {
            messages.error(
                "-token is missing", advice: "give the token by -token, -token-file or \(variable)")
            return nil
        }
        let token = SecretSources.token(text, label: literal != nil ? "-token" : variable)
        labels["token"] = token.label
        guard !token.token.isEmpty else {
            messages.error(
                "\(token.label): there is no token before the colon", advice: "write token:password")
            return nil
        }
        addVariable(variable, token.token, "the token")
        entry.entry(Self.indentation, "token", plain: "\"${\(variable)}\"")
        return token
    }

    private mutating func addPassword(of token: SecretSources.Token?) {
        let variable = SecretSources.passwordVariable
        let inherited = surroundings.secrets[variable].flatMap { $0.isEmpty ? nil : $0 }
        let attached = token.flatMap { token in token.password.flatMap { $0.isEmpty ? nil : $0 } }
        let isAsked = values.booleans["password-prompt"] == true
        let file = path("password-file")
        var sources: [String] = []
        if attached != nil, let token { sources.append("\(token.label) (behind the colon)") }
        if file != nil { sources.append("-password-file") }
        if isAsked { sources.append("-password-prompt") }
        if inherited != nil {
            // A variable counts only where no flag says otherwise; another variable is no flag.
            let isBesideVariable =
                sources.count == 1 && token?.label == SecretSources.tokenVariable && attached != nil
            if sources.isEmpty || isBesideVariable {
                sources.append(variable)
            } else {
                messages.warning("\(variable) is not used: a flag gives the password")
            }
        }
        guard sources.count < 2 else {
            messages.error(
                "the password comes from more than one place: \(sources.joined(separator: ", "))",
                advice: "keep one of them")
            return
        }
        if let file {
            entry.entry(Self.indentation, "password-file", text: file)
        } else if isAsked {
            addOpenVariable(variable, "its password")
        } else if let password = attached ?? inherited {
            addVariable(variable, password, "its password")
        } else {
            return
        }
        labels["password"] = attached != nil ? token?.label : variable
        if file == nil { entry.entry(Self.indentation, "password", plain: "\"${\(variable)}\"") }
    }
}
