/// `limits` of servers, and of their entries of `passwords` and `hosts`.
extension MappingReader {
    /// Decodes `limits` of a server; what is absent is as it is by default.
    func callerLimits() -> CallerLimits {
        var limits = CallerLimits()
        guard let field = field(LimitKeys.limits),
            let reader = MappingReader(field, .limits, isOffline: isOffline, pass: pass)
        else { return limits }
        limits.isEnforced = reader.value(LimitKeys.enforce)
        limits.headTimeout = reader.value(LimitKeys.headTimeout)
        if let rate = reader.value(LimitKeys.bodyRate) {
            limits.bodyPace = BodyPace(bytesPerSecond: rate, patience: reader.value(LimitKeys.bodyTimeout))
        } else {
            reader.warn(of: LimitKeys.bodyTimeout.declaration, without: LimitKeys.bodyRate.declaration)
        }
        if let field = reader.field(LimitKeys.perAddress),
            let reader = MappingReader(field, .addressLimits, isOffline: isOffline, pass: pass)
        {
            limits.connectionsPerAddress = reader.value(LimitKeys.connections)
            limits.perAddress = reader.requestLimits()
        }
        limits.perName = reader.requestLimits(LimitKeys.perName) ?? RequestLimits()
        limits.perToken = reader.requestLimits(LimitKeys.perToken) ?? RequestLimits()
        return limits
    }

    /// Decodes the limits of requests that stand under a key; nil where none do.
    func requestLimits(_ key: KeyDeclaration) -> RequestLimits? {
        guard let field = field(key), case .mapping(let section) = key.shape else { return nil }
        return MappingReader(field, section, isOffline: isOffline, pass: pass)?.requestLimits()
    }

    private func requestLimits() -> RequestLimits {
        RequestLimits(
            requests: value(LimitKeys.requests),
            requestRate: rate(LimitKeys.requestsPerSecond, burst: LimitKeys.requestsBurst),
            byteRate: rate(LimitKeys.bytesPerSecond, burst: LimitKeys.bytesBurst),
            bytesPerMonth: section == .tokenLimits ? quota() : nil)
    }

    /// What nobody keeps would begin anew at every start.
    private func quota() -> Int? {
        let quota = value(LimitKeys.bytesPerMonth)
        if let field = field(LimitKeys.bytesPerMonth.declaration), !pass.keepsUsage {
            let key = Keys.usageFile.declaration.name
            pass.error(
                at: field.place, field.path, "the bytes of a month are counted in a file, and none is named",
                advice: "add \(key): /var/lib/wstunnel/usage.json at the top of the main file")
        }
        return quota
    }

    private func rate(_ key: ScalarKey<Int?>, burst: ScalarKey<Int?>) -> RequestLimits.Rate? {
        guard let perSecond = value(key) else {
            warn(of: burst.declaration, without: key.declaration)
            return nil
        }
        return RequestLimits.Rate(perSecond: perSecond, burst: value(burst))
    }

    private func warn(of key: KeyDeclaration, without other: KeyDeclaration) {
        guard let field = field(key), self.field(other) == nil, !misses(other) else { return }
        pass.warning(
            at: field.place, field.path, "\"\(key.name)\" has no effect without \"\(other.name)\"",
            advice: "add \"\(other.name)\", or remove it")
    }
}
