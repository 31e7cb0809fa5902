import YAMLDocument

/// `load-shedding`.
extension MappingReader {
    /// Decodes `load-shedding`; what is absent is as it is by default.
    func loadShedding() -> LoadShedding {
        guard let field = field(LoadKeys.loadShedding) else { return LoadShedding() }
        guard field.node.mapping != nil else {
            guard let text = text(of: field) else { return LoadShedding() }
            do throws(ValueFault) {
                return try ValueRule.boolean(text) ? LoadShedding() : .off
            } catch {
                pass.error(
                    at: field.place, field.path, error.message,
                    advice: "write on, off, or a mapping with memory, descriptors and loop-delay")
                return LoadShedding()
            }
        }
        var rules = LoadShedding()
        guard let reader = MappingReader(field, .loadShedding, isOffline: isOffline, pass: pass) else {
            return rules
        }
        rules.isEnforced = reader.value(LoadKeys.enforce)
        rules.memory = reader.value(LoadKeys.memory)
        rules.descriptors = reader.value(LoadKeys.descriptors)
        rules.loopDelay = reader.value(LoadKeys.loopDelay)
        return rules
    }
}
