/// Who asked for a reload.
package struct ReloadRequest: Hashable, Sendable {
    package enum Trigger: String, Hashable, Sendable {
        case hangup = "SIGHUP"
        case api, watch
        /// Back to the configuration that was in force before; the file is not read.
        case rollback
    }

    package var trigger: Trigger
    /// Who waits for the outcome, if anybody does.
    package var ticket: UInt64?
    /// The plans that were looked at: any other is not carried out. Nil for whatever there is to do.
    package var plans: Set<String>?

    package init(_ trigger: Trigger, ticket: UInt64? = nil, plans: Set<String>? = nil) {
        self.trigger = trigger
        self.ticket = ticket
        self.plans = plans
    }
}

/// Why a reload was refused before anything was tried.
package enum ReloadRefusal: Hashable, Sendable {
    /// It would not do what was looked at.
    case planChanged
    /// Another reload is under way, and nobody knows yet what would be gone back to.
    case isBusy
    /// Nothing was in force before.
    case nothingBefore

    package var words: String {
        switch self {
        case .planChanged:
            "the plan is not the one that was looked at: the file, or what runs, has changed since — look at the plan again"
        case .isBusy: "a reload is under way: wait for its end, and look at the status again"
        case .nothingBefore: "there is nothing to go back to: the first configuration is still in force"
        }
    }
}

/// The requests that one reload answers.
struct ReloadBatch: Sendable {
    private struct Ticket: Sendable {
        var number: UInt64
        var plans: Set<String>?
    }

    let trigger: ReloadRequest.Trigger
    private var waiting: [Ticket] = []
    /// Whether anybody wants it whatever it does.
    private var isUnconditional = false

    init(_ request: ReloadRequest) {
        trigger = request.trigger
        add(request)
    }

    mutating func add(_ request: ReloadRequest) {
        if request.plans == nil { isUnconditional = true }
        if let number = request.ticket { waiting.append(Ticket(number: number, plans: request.plans)) }
    }

    /// Who waits for the outcome.
    var tickets: [UInt64] { waiting.map(\.number) }

    /// Whether anybody still wants it.
    var isWanted: Bool { isUnconditional || !waiting.isEmpty }

    /// It is known what would be done.
    ///
    /// - Returns: those who wanted something else; they wait no longer.
    mutating func takeDisappointed(by plan: PlanTag) -> [UInt64] {
        let isDisappointed = { (ticket: Ticket) in ticket.plans.map { !$0.contains(plan.text) } ?? false }
        let numbers = waiting.filter(isDisappointed).map(\.number)
        waiting.removeAll(where: isDisappointed)
        return numbers
    }
}
