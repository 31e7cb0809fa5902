package import AgentStatus
import HTTPMessage
import TunnelConfiguration

// Servers, tunnels and sessions, a part of them at a time; and the configuration.
extension AdminOperation {
    static let lists: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/servers",
            summary: "The tunnel servers, without the tokens and names that lead to them.",
            parameters: [state(["up", "down"] + ServerSnapshot.State.allCases.map(\.rawValue)), name]
                + Slice.parameters,
            responses: [Response(meaning: "Some of them.", schema: .json(ServerList.self))]
        ) { question, control in
            let state = question.parameters["state"]
            let fitting = await control.servers().filter { server in
                question.names(server.name) && server.is(state)
            }
            return .json(200, ServerList(servers: question.slice.of(fitting), total: fitting.count))
        },
        AdminOperation(
            method: "GET", path: "/api/servers/{name}", summary: "One tunnel server.",
            captures: [Parameter(name: "name", meaning: "Of the server, as in the file.")],
            responses: [Response(meaning: "It.", schema: .json(ServerSnapshot.self))]
        ) { question, control in
            guard let server = await control.server(question.captures["name"] ?? "") else {
                return .error(404, "there is no server of that name: /api/servers lists them")
            }
            return .json(200, server)
        },
        AdminOperation(
            method: "GET", path: "/api/tunnels", summary: "The tunnels whose client this agent is.",
            parameters: [state(["up", "down"] + TunnelSnapshot.State.allCases.map(\.rawValue)), name]
                + Slice.parameters,
            responses: [Response(meaning: "Some of them.", schema: .json(TunnelList.self))]
        ) { question, control in
            .json(200, await control.tunnels(TunnelPart(question)))
        },
        AdminOperation(
            method: "GET", path: "/api/tunnels/{name}", summary: "One tunnel whose client this agent is.",
            captures: [Parameter(name: "name", meaning: "Of the tunnel, as in the file.")],
            responses: [Response(meaning: "It.", schema: .json(TunnelSnapshot.self))]
        ) { question, control in
            guard let tunnel = await control.tunnel(question.captures["name"] ?? "") else {
                return .error(404, "there is no tunnel of that name: /api/tunnels lists them")
            }
            return .json(200, tunnel)
        },
        AdminOperation(
            method: "GET", path: "/api/sessions",
            summary: "The sessions with this agent's servers, and those of its tunnels.",
            parameters: [
                Parameter(name: "server", meaning: "Only those with the server of this name."),
                Parameter(
                    name: "tunnel", meaning: "Only those of tunnels of this name; * stands for anything."),
            ] + Slice.parameters,
            responses: [Response(meaning: "Some of them.", schema: .json(SessionList.self))]
        ) { question, control in
            let server = question.parameters["server"]
            let tunnel = question.parameters["tunnel"].map(NameGlob.init)
            let fitting = await control.sessions().filter { session in
                (server == nil || session.server == server) && (tunnel?.matches(session.tunnel) ?? true)
            }
            return .json(200, SessionList(sessions: question.slice.of(fitting), total: fitting.count))
        },
        AdminOperation(
            method: "GET", path: "/api/config", audience: .role(.administer),
            summary: "The configuration in force as a file would say it, secrets as ***.",
            responses: [
                Response(
                    meaning: "A tunnels.yaml.", mediaType: OwnAnswer.MediaType.yaml.rawValue,
                    schema: .object(name: nil, []))
            ]
        ) { _, control in .answer(OwnAnswer(200, text: await control.configuration(), as: .yaml)) },
    ]

    private static func state(_ states: [String]) -> Parameter {
        Parameter(
            name: "state", meaning: "Only those; up and down mean what works and what does not.",
            schema: .choice(states))
    }

    private static let name = Parameter(
        name: "name", meaning: "Only those of this name; * stands for anything.")
}

/// Which part of a list is asked for.
struct Slice: Sendable {
    /// More than a status has: what asks for a page is told no more than that page.
    private static let most = 1000
    private static let usual = 100

    static let parameters = [
        AdminOperation.Parameter(
            name: "limit", meaning: "So many at most, \(usual) by default.", schema: .integer(1...most)),
        AdminOperation.Parameter(
            name: "offset", meaning: "Without so many in front.", schema: .integer(0...1_000_000)),
    ]

    let offset: Int
    let limit: Int

    fileprivate init(_ parameters: [String: String]) {
        offset = parameters["offset"].flatMap { Int($0) } ?? 0
        limit = parameters["limit"].flatMap { Int($0) } ?? Self.usual
    }

    func of<Element>(_ all: [Element]) -> [Element] { Array(all.dropFirst(offset).prefix(limit)) }
}

extension AdminQuestion {
    fileprivate var slice: Slice { Slice(parameters) }

    /// Whether `name` is for this one.
    fileprivate func names(_ name: String) -> Bool {
        parameters["name"].map { NameGlob($0).matches(name) } ?? true
    }
}

extension ServerSnapshot {
    fileprivate func `is`(_ wanted: String?) -> Bool {
        switch wanted {
        case nil: true
        case "up": state == .listening
        case "down": state == .failed
        default: state.rawValue == wanted
        }
    }
}

/// Which tunnels of a list are asked for.
package struct TunnelPart: Sendable {
    private let name: NameGlob?
    private let state: String?
    private let slice: Slice

    fileprivate init(_ question: AdminQuestion) {
        name = question.parameters["name"].map(NameGlob.init)
        state = question.parameters["state"]
        slice = question.slice
    }

    /// Whether it matters what a tunnel does now.
    package var asksForState: Bool { state != nil }

    package func takes(name: String) -> Bool { self.name?.matches(name) ?? true }

    /// One that leaves is neither up nor down.
    package func takes(_ state: TunnelSnapshot.State) -> Bool {
        switch self.state {
        case nil: true
        case "up": state == .connected
        case "down": state == .connecting || state == .gaveUp
        default: state.rawValue == self.state
        }
    }

    /// What is wanted of all that it takes.
    package func slice<Element>(of all: [Element]) -> [Element] { slice.of(all) }
}
