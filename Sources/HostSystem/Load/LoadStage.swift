/// How far an agent goes to take less. Each stage does what those before it do.
package enum LoadStage: Int, Comparable, Sendable {
    case none
    /// Callers keep no connections.
    case noKeptConnections
    /// New requests to tunnels are refused.
    case noNewRequests
    /// What is idle gives back what it keeps, whatever runs short.
    case givesBack

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// What an agent can run short of.
package enum LoadResource: String, Sendable {
    /// In bytes.
    case memory
    case descriptors
    /// In milliseconds.
    case loopDelay = "loop-delay"

    /// In percent of what there is: from where on each stage holds.
    var beginnings: [Int] { self == .loopDelay ? [100, 200, 400] : [80, 90, 95] }

    /// Below which it does not any more. Lower, so that what a stage achieves does not end it.
    var ends: [Int] { self == .loopDelay ? [50, 100, 200] : [75, 85, 90] }
}

/// How much of something is used.
package struct LoadMeasure: Hashable, Sendable {
    package let resource: LoadResource
    package let used: Int
    /// What there is; more than 0.
    package let limit: Int
    /// How far it goes at most.
    let most: LoadStage

    package init(_ resource: LoadResource, used: Int, limit: Int, most: LoadStage = .givesBack) {
        self.resource = resource
        self.used = used
        self.limit = max(1, limit)
        self.most = most
    }

    /// The highest stage whose threshold it has reached.
    fileprivate func stage(_ thresholds: [Int]) -> LoadStage {
        let share = Double(used) / Double(limit) * 100
        return LoadStage(rawValue: thresholds.count { share >= Double($0) }) ?? .none
    }

    /// The stage that it calls for.
    var calledFor: LoadStage { min(stage(resource.beginnings), most) }

    /// The stage that it keeps in force where that is in force.
    var kept: LoadStage { min(stage(resource.ends), most) }
}
