/// What an agent uses of what it has, and what it does about it.
package struct LoadSnapshot: Codable, Hashable, Sendable {
    /// How much of something is used.
    package struct Measure: Codable, Hashable, Sendable {
        /// `memory`, `descriptors` or `loop-delay`.
        package var name: String
        /// In bytes; a number; in milliseconds.
        package var used: Int
        package var limit: Int

        package init(name: String, used: Int, limit: Int) {
            self.name = name
            self.used = used
            self.limit = limit
        }
    }

    /// 0 where nothing is done, to 3.
    package var stage: Int
    /// What that is for; nil where nothing is done.
    package var cause: String?
    /// When the stage began.
    package var since: Int
    /// False: nothing is done at any stage.
    package var isEnforced: Bool
    /// Of what is looked at.
    package var measures: [Measure]

    package init(stage: Int, cause: String?, since: Int, isEnforced: Bool, measures: [Measure]) {
        self.stage = stage
        self.cause = cause
        self.since = since
        self.isEnforced = isEnforced
        self.measures = measures
    }
}
