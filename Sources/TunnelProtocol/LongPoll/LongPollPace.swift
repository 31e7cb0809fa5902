/// How long polls ask to be held: as long as the path has shown to allow.
package struct HoldTime: Sendable, Hashable {
    package static let first = Duration.seconds(25)
    package static let shortest = Duration.seconds(5)
    package static let longest = Duration.seconds(55)
    /// Polls in a row that were held to the end, after which more is tried.
    private static let patience = 5

    package private(set) var value = Self.first
    private var whole = 0

    package init() {}

    /// A poll was held to the end.
    package mutating func wasWhole() {
        whole += 1
        guard whole >= Self.patience else { return }
        whole = 0
        value = min(Self.longest, value * 5 / 4)
    }

    /// A poll was cut.
    ///
    /// - Parameter time: that it had been under way.
    package mutating func wasCut(after time: Duration) {
        whole = 0
        // One that was cut sooner than it could be held anyway says nothing of how long is allowed.
        guard time < value + .seconds(5) else { return }
        value = max(Self.shortest, min(value, time * 7 / 10))
    }
}

/// How many bytes go into one message: as many as the path takes in a fraction of a second.
package struct TransferSize: Sendable, Hashable {
    package static let first = 64 << 10
    package static let least = 16 << 10
    package static let most = 1 << 20
    private static let quick = Duration.milliseconds(700)
    private static let slow = Duration.seconds(2)

    /// In bytes, the head included.
    package private(set) var value = Self.first
    /// What was refused: more is not tried.
    private var bound = Self.most

    package init() {}

    /// That many bytes took so long, there and back.
    package mutating func arrived(_ bytes: Int, in time: Duration) {
        if time > Self.slow {
            value = max(Self.least, value / 2)
        } else if time < Self.quick, bytes >= value / 2 {
            value = min(bound, value * 2)
        }
    }

    /// It did not arrive in time.
    package mutating func timedOut() { value = max(Self.least, value / 2) }

    /// Something in between takes no message of so many bytes.
    package mutating func wasRefused(_ bytes: Int) {
        bound = max(Self.least, min(bound, bytes / 2))
        value = min(value, bound)
    }
}
