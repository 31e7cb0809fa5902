/// `load-shedding`.
extension ConfigurationRendering {
    static func write(_ rules: LoadShedding, to text: inout ConfigurationText) {
        text.line(0, "\(LoadKeys.loadShedding.name):")
        text.entry(2, LoadKeys.enforce, plain: rules.isEnforced)
        text.entry(2, LoadKeys.memory, plain: words(rules.memory, ByteCountText.format))
        text.entry(2, LoadKeys.descriptors, plain: words(rules.descriptors) { "\($0)" })
        text.entry(2, LoadKeys.loopDelay, plain: rules.loopDelay.map(DurationText.format) ?? "off")
    }

    private static func words(_ bound: LoadShedding.Bound, _ format: (Int) -> String) -> String {
        switch bound {
        case .automatic: "auto"
        case .off: "off"
        case .amount(let amount): format(amount)
        }
    }
}
