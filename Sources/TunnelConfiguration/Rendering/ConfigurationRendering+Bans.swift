/// `ban`.
extension ConfigurationRendering {
    static func write(_ rules: BanRules, to text: inout ConfigurationText) {
        text.line(4, "\(BanKeys.ban.name):")
        text.entry(6, BanKeys.enabled, plain: rules.isEnabled)
        text.entry(6, BanKeys.after, plain: rules.after)
        text.entry(6, BanKeys.within, rules.within)
        text.entry(6, BanKeys.duration, rules.duration)
        text.entry(6, BanKeys.longest, rules.longest)
        let never = rules.never.map { ConfigurationText.quoted($0.description) }
        text.line(6, "\(BanKeys.never.name): [\(never.joined(separator: ", "))]")
    }
}
