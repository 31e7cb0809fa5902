package import Logging
internal import Synchronization

/// The level that all loggers of the agent share; a change counts from the next line on.
package final class AgentLogLevel: Sendable {
    /// A level that holds in place of the configured one.
    package struct Override: Sendable, Hashable {
        package let level: Logger.Level
        /// When it ends, in seconds since 1970; nil: with the next configuration.
        package let until: Int?
        /// Counts them.
        package let number: Int
    }

    private struct State: Sendable {
        var configured: Logger.Level
        var override: Override?
        var count = 0
    }

    private static let levels = Logger.Level.allCases
    /// The place in `levels`, from the most talkative to the most silent.
    private let index: Atomic<Int>
    private let state: Mutex<State>
    /// The place of the most talkative level that somebody hears; warnings always are.
    private let heard = Atomic<Int>(AgentLogLevel.index(of: .warning))

    package init(_ level: Logger.Level) {
        index = Atomic(Self.index(of: level))
        state = Mutex(State(configured: level))
    }

    /// The least important level that is written.
    package var value: Logger.Level { Self.levels[index.load(ordering: .relaxed)] }

    /// The least important level of which lines are made: written, or heard.
    var lowest: Logger.Level {
        Self.levels[min(index.load(ordering: .relaxed), heard.load(ordering: .relaxed))]
    }

    func isHeard(_ level: Logger.Level) -> Bool { Self.index(of: level) >= heard.load(ordering: .relaxed) }

    /// - Parameter level: nil when nobody listens.
    func hear(from level: Logger.Level?) {
        heard.store(Self.index(of: min(level ?? .warning, .warning)), ordering: .relaxed)
    }

    /// What the configuration says.
    package var configured: Logger.Level { state.withLock { $0.configured } }

    /// What holds in its place; nil where it holds.
    package var override: Override? { state.withLock { $0.override } }

    /// A configuration comes into force: nothing holds in its place any more.
    package func configure(_ level: Logger.Level) {
        change { state in
            state.configured = level
            state.override = nil
        }
    }

    /// Puts another level in force for now.
    ///
    /// - Parameter until: when `end` is to be called, in seconds since 1970; nil: not before the next configuration.
    /// - Returns: its number.
    package func override(by level: Logger.Level, until: Int?) -> Int {
        change { state in
            state.count += 1
            state.override = Override(level: level, until: until, number: state.count)
            return state.count
        }
    }

    /// The configured level is back, unless another one came meanwhile.
    ///
    /// - Returns: whether that is so.
    package func end(override number: Int) -> Bool {
        change { state in
            guard state.override?.number == number else { return false }
            state.override = nil
            return true
        }
    }

    @discardableResult private func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        state.withLock { state in
            let value = body(&state)
            index.store(Self.index(of: state.override?.level ?? state.configured), ordering: .relaxed)
            return value
        }
    }

    private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}
