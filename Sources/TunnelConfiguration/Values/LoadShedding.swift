/// `load-shedding`: what an agent has, so that it takes less before it is used up.
package struct LoadShedding: Hashable, Sendable {
    /// How much there is of something.
    package enum Bound: Hashable, Sendable {
        /// What the system allows.
        case automatic
        /// It is not looked at.
        case off
        /// So much: bytes, or descriptors.
        case amount(Int)
    }

    /// `enforce`; false: it is told, and nothing is done.
    package var isEnforced = true
    /// `memory`
    package var memory = Bound.automatic
    /// `descriptors`
    package var descriptors = Bound.automatic
    /// `loop-delay`: how late an event loop may be, 10 ms…60 s; nil: it is not looked at.
    package var loopDelay: Duration?

    package init() {}

    /// Nothing is looked at.
    package static var off: LoadShedding {
        var rules = LoadShedding()
        (rules.memory, rules.descriptors) = (.off, .off)
        return rules
    }

    /// Whether anything is looked at.
    package var isOn: Bool { memory != .off || descriptors != .off || loopDelay != nil }
}
