/// One thing that a service tells its manager (sd_notify(3)).
package enum ServiceNotice: Sendable, Hashable {
    /// The start, or a reload, is finished, well or not: a reload that failed leaves a service that runs.
    case ready
    /// A reload begins, at this reading of CLOCK_MONOTONIC.
    case reloading(monotonicMicroseconds: UInt64)
    /// The service ends.
    case stopping
    /// How it goes, in one line for people.
    case status(String)
    /// A sign of life.
    case watchdog

    /// The message that says all of them.
    static func text(of notices: [ServiceNotice]) -> String {
        notices.map(\.text).joined(separator: "\n")
    }

    private var text: String {
        switch self {
        case .ready: "READY=1"
        case .reloading(let microseconds): "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
        case .stopping: "STOPPING=1"
        case .status(let text): "STATUS=" + Self.oneLine(text)
        case .watchdog: "WATCHDOG=1"
        }
    }

    /// A line end would begin another assignment.
    private static func oneLine(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(longestStatus).map {
                    $0.properties.generalCategory == .control ? " " : $0
                }))
    }

    /// How much of a status is sent, in characters.
    static let longestStatus = 500
}
