/// `ban` of servers.
extension MappingReader {
    /// Decodes `ban`; what is absent is as it is by default.
    func banRules() -> BanRules {
        var rules = BanRules()
        guard let field = field(BanKeys.ban),
            let reader = MappingReader(field, .ban, isOffline: isOffline, pass: pass)
        else { return rules }
        rules.isEnabled = reader.value(BanKeys.enabled)
        rules.after = reader.value(BanKeys.after)
        rules.within = reader.value(BanKeys.within)
        rules.duration = reader.value(BanKeys.duration)
        rules.longest = reader.value(BanKeys.longest)
        if reader.field(BanKeys.never) != nil { rules.never = reader.addressRanges(BanKeys.never) }
        if rules.longest < rules.duration, let field = reader.field(BanKeys.longest.declaration) {
            pass.error(
                at: field.place, field.path, "it is shorter than \"for\", the first ban",
                advice: "make it as long or longer")
        }
        return rules
    }
}
