import AdminAPI
import AgentStatus
import ArgumentParser
import Glibc
import HostSystem
import Observability
import TunnelConfiguration

/// `wstunnel top --config tunnels.yaml`
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Shows the servers and tunnels of the running agent, and what they carry, while it changes.",
        discussion: """
            Keys: q quits, / filters, Enter shows one with its latest events, p pauses, n s r b f sort by name, state, \
            requests, bytes and requests in flight, arrows scroll. To a file or a pipe the table is printed again and again.
            """)

    private static let intervals: ClosedRange<Duration> = .milliseconds(200)...(.seconds(3600))
    /// How soon a new size of the terminal, or a signal, is noticed.
    private static let turnMilliseconds: CInt = 100

    @OptionGroup var agent: AgentOptions

    @Option(help: "How often the agent is asked, such as 1s.")
    var interval = "2s"

    func validate() throws {
        guard let time = DurationText.parse(interval), Self.intervals.contains(time) else {
            throw ValidationError("--interval is a duration from 200ms to 1h, such as 1s")
        }
    }

    func run() throws {
        LiveOutput.prepare()
        let poller = try StatusPoller(agent.place, every: DurationText.parse(interval) ?? .seconds(2))
        guard poller.start() else {
            Terminal.printToStandardError("wstunnel: cannot start a thread\n")
            throw ExitStatus.failure
        }
        defer { poller.stop() }
        let hasColour = Terminal.outputStyle.hasColour
        guard Terminal.outputStyle.width != nil, isatty(STDIN_FILENO) == 1,
            let terminal = RawTerminal(input: STDIN_FILENO)
        else { return try printAgainAndAgain(poller) }
        defer { terminal.close() }
        show(poller, on: terminal, hasColour: hasColour)
    }

    private func show(_ poller: StatusPoller, on terminal: RawTerminal, hasColour: Bool) {
        var state = TopState()
        var keys = TopKeyReader()
        var drawn: [String] = []
        while !terminal.isEndWanted {
            if let report = poller.take() { state.learn(report) }
            let size = terminal.size
            let lines = TopScreen.lines(
                of: &state, width: size.width, height: size.height, hasColour: hasColour)
            if lines != drawn, !terminal.draw(lines) { return }
            drawn = lines
            guard let bytes = terminal.read(orWhen: poller.arrival.descriptor, within: Self.turnMilliseconds)
            else { return }
            for key in keys.read(bytes, isQuiet: bytes.isEmpty) {
                switch state.press(key) {
                case .quit: return
                case .suspend:
                    terminal.suspend()
                    drawn = []
                case nil: break
                }
            }
            if terminal.isStopWanted {
                terminal.suspend()
                drawn = []
            }
            poller.want(events: state.showsEvents)
        }
    }

    /// Until Ctrl-C, or until nobody reads.
    private func printAgainAndAgain(_ poller: StatusPoller) throws {
        var state = TopState()
        while true {
            var entries = [
                pollfd(fd: poller.arrival.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDOUT_FILENO, events: 0, revents: 0),
            ]
            poll(&entries, 2, -1)
            if entries[1].revents != 0 { return }
            guard let report = poller.take() else { continue }
            if state.isNew, case .failure(let fault) = report.status { throw fault.told }
            state.learn(report)
            let time = LogTimestamp.now().description
            guard LiveOutput.write(TopScreen.plainText(of: state, time: time) + "\n") else { return }
        }
    }
}

extension TopState {
    fileprivate mutating func learn(_ report: StatusPoller.Report) {
        switch report.status {
        case .success(let snapshot): take(snapshot, at: report.at)
        case .failure(let fault):
            fail(fault.words.split(separator: "\n").first.map(String.init) ?? fault.words)
        }
        if let events = report.events { take(events) }
    }
}
