/// Events for people: a line for each.
package enum EventRendering {
    /// - Parameter time: when it happened, as it is shown.
    package static func line(of event: AgentEvent, time: String, style: TextStyle = .plain) -> String {
        var words: [String] = []
        if let server = event.server { words.append("server \(server)") }
        if let tunnel = event.tunnel { words.append("tunnel \(tunnel)") }
        if let hint = event.tokenHint { words.append("token \(hint)") }
        if let session = event.session { words.append("session \(session)") }
        if let address = event.address { words.append(address) }
        let code = event.code.flatMap { $0.isEmpty ? nil : "\($0): " } ?? ""
        words.append(code + event.message)
        return time + " " + style.painted(event.kind.rawValue, event.kind.colour) + "  "
            + words.joined(separator: "  ").undeceiving
    }
}

extension AgentEvent.Kind {
    fileprivate var colour: TextStyle.Colour {
        switch self {
        case .agentStarted, .reloadApplied, .serverListening, .sessionUp, .originUp, .resumed, .unbanned:
            .green
        case .reloadRefused, .serverFailed, .dialFailed, .tunnelGaveUp, .originDown, .error: .red
        default: .yellow
        }
    }
}
