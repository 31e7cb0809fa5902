/// Where a caller's connection stands.
enum CallerPhase {
    /// Between requests, or with part of a head. Next: exchange, lingering, over.
    case awaitingHead
    /// A request and its answer are under way. Next: awaitingHead, takingRest, raw, lingering, over.
    case exchange(CallerExchange)
    /// The answer is out, and what is left of the request is dropped. Next: awaitingHead, lingering.
    case takingRest
    /// After an upgrade. Next: lingering, over.
    case raw(CallerExchange)
    /// The last answer is written; what still comes is dropped. Next: over.
    case lingering
    /// Closed, or a tunnel's session now.
    case over

    /// The exchange under way, if any.
    var currentExchange: CallerExchange? {
        switch self {
        case .exchange(let exchange), .raw(let exchange): exchange
        case .awaitingHead, .takingRest, .lingering, .over: nil
        }
    }
}
