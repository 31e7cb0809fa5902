import AdminAPI
import AgentStatus
import ArgumentParser
import FoundationEssentials
import Glibc
import Observability

/// A stream of the agent that a command prints, until Ctrl-C or until nobody reads any more. Both are quiet; so is the end of
/// a stream that goes no further.
struct Following {
    /// How long an agent may be away that was there before.
    private static let patience: Duration = .seconds(30)

    let agent: AgentOptions
    /// What is asked for, path and query.
    let target: String
    /// Whether what happens next is wanted: then the agent is waited for when it restarts.
    let goesOn: Bool
    /// By which the stream begins.
    var id: String?
    /// What a number of events that were not kept for us is called, as `lines`.
    let noun: String

    /// - Parameter line: what is printed of an event, without an end of line; nil for nothing.
    func run(_ line: (ServerSentEvent) -> String?) throws {
        LiveOutput.prepare()
        var place = id
        var goneAt: ContinuousClock.Instant?
        var wasThere = false
        while true {
            do throws(AgentFault) {
                let end = try follow(&place, line) { (goneAt, wasThere) = (nil, true) }
                guard end == .ended, goesOn else { return }
            } catch {
                let isFirst = !wasThere && goneAt == nil && !error.isInterruption
                let isTooLong = goneAt.map { ContinuousClock.now - $0 > Self.patience } ?? false
                guard goesOn, !isFirst, !isTooLong, error.mayPass else { throw error.told }
            }
            if goneAt == nil {
                goneAt = .now
                Terminal.printToStandardError("wstunnel: the agent is gone; waiting for it to come back\n")
            }
            sleep(1)
        }
    }

    private func follow(
        _ place: inout String?, _ line: (ServerSentEvent) -> String?, opened: () -> Void
    ) throws(AgentFault) -> AdminClient.StreamEnd {
        let isResuming = place != id
        return try agent.attempt { client throws(AdminClientError) in
            try client.follow(target, after: place, writingTo: STDOUT_FILENO, opened: opened) { event in
                place = event.id ?? place
                if event.name == "missed" {
                    tellMissed(event.data, isResuming: isResuming)
                    return true
                }
                return line(event).map { LiveOutput.write($0 + "\n") } ?? true
            }
        }
    }

    /// - Parameter count: `null` where the agent does not know, as of events of before its start.
    private func tellMissed(_ count: String, isResuming: Bool) {
        let isKnown = UInt64(count) != nil
        // Who asks for all that there is misses nothing by that.
        guard isKnown || isResuming else { return }
        let words =
            isKnown
            ? "\(count) \(noun) were missed: they came faster than they were read"
            : "some \(noun) may have been missed"
        Terminal.printToStandardError("wstunnel: \(words)\n")
    }
}

/// How commands that print events print them.
struct LiveFormat: ParsableArguments {
    @Option(help: "How to print them: text for people, or json, an object on each line.")
    var format = OutputFormat.text

    @Flag(help: "The same as --format json.")
    var json = false

    var isJSON: Bool { json || format == .json }

    /// What is printed of an event.
    ///
    /// - Parameters:
    ///   - isWanted: whether it is printed at all.
    ///   - text: the words for people.
    func line<Value: Decodable>(
        _ event: ServerSentEvent, as type: Value.Type, where isWanted: (Value) -> Bool = { _ in true },
        _ text: (Value) -> String
    ) -> String? {
        guard let value = try? JSONDecoder().decode(type, from: Data(event.data.utf8)) else {
            // Of another version of the agent; where all is wanted as it comes, it is.
            return isJSON ? nil : "? \(event.name.prefix(64))"
        }
        guard isWanted(value) else { return nil }
        return isJSON ? event.data.jsonUndeceiving : text(value)
    }

    /// A moment as lines show it.
    static func time(_ milliseconds: Int64) -> String {
        LogTimestamp(millisecondsSince1970: milliseconds).description
    }
}
