import AgentStatus
import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import AdminAPI

/// What who asks an agent is told, whatever is at the other end.
@Suite(.timeLimit(.minutes(1))) struct AdminClientTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path(of: "agent.sock") }

    init() throws { folder = try TemporaryFolder() }

    private func fault(
        at path: String? = nil, patience: Duration? = nil
    ) -> AdminClientError? {
        #expect(throws: AdminClientError.self) {
            try AdminClient(socketPath: path ?? self.path, patience: patience).status()
        }
    }

    @Test func everyQuestionIsAnswered() async throws {
        try await AdminWorld().run { world in
            let client = AdminClient(socketPath: world.path)
            let (status, plan, reload) = (try client.status(), try client.plan(), try client.reload())
            #expect(status.generation == 3 && plan.plan?.notes == ["a note"] && reload.generation == 4)
            try client.handOver()
        }
    }

    @Test func aRefusedReloadIsAnAnswer() async throws {
        try await AdminWorld(.init(reload: .refused, hasPlan: false)).run { world in
            let client = AdminClient(socketPath: world.path)
            let (reload, plan) = (try client.reload(), try client.plan())
            #expect(reload.outcome == .refused && plan.plan == nil)
        }
    }

    @Test func aRefusalIsToldInTheAgentsWords() async throws {
        try await AdminWorld(.init(handsOver: false)).run { world in
            let error = #expect(throws: AdminClientError.self) {
                try AdminClient(socketPath: world.path).handOver()
            }
            #expect(error?.description == "the agent has handed over to another process already")
        }
    }

    @Test func aRequestIsExplainedOrToldWhyNot() async throws {
        try await AdminWorld().run { world in
            let client = AdminClient(socketPath: world.path)
            var query = ExplanationQuery(
                method: "GET", host: "a", port: 80, target: "/x", fields: [.init("Host", "ä")])
            #expect(try client.explain(query).request == "GET /x")
            query.server = "none"
            #expect(throws: AdminClientError.self) { try client.explain(query) }
            query.target = "/" + String(repeating: "x", count: ExplanationQuery.mostBytes)
            let error = #expect(throws: AdminClientError.self) { try client.explain(query) }
            #expect(error?.description.contains("64 KiB") == true)
            for body in [
                #"{"method":"GET\r\nX: y","isSecure":false,"host":"a","port":80,"target":"/","fields":[],"from":"192.0.2.1"}"#,
                #"{"method":"GET","isSecure":false,"host":"a","port":80,"target":"/","fields":[{"name":"a","value":"b\nc"}],"from":"192.0.2.1"}"#,
                #"{"method":"GET","isSecure":false,"host":"a","port":80,"target":"/","fields":[],"from":"nobody"}"#,
            ] {
                #expect(try world.ask("POST", "/api/explain", body: Array(body.utf8)).status == 400)
            }
            let nonsense = try world.ask("POST", "/api/explain", body: Array("{}".utf8))
            #expect(nonsense.status == 400 && nonsense.text.contains("the body is no query"))
            #expect(try world.ask("GET", "/api/explain").status == 405)
            #expect(try world.ask("POST", "/api/explain", authorization: nil).status == 401)
        }
    }

    @Test func nobodyIsThere() throws {
        let missing = fault()
        #expect(missing?.isNobodyThere == true)
        // What a killed agent leaves.
        close(try listeningSocket(at: path))
        #expect(fault()?.isNobodyThere == true)
        try folder.write("a file", to: "file")
        #expect(fault(at: folder.path(of: "file/agent.sock"))?.isNobodyThere == true)
        #expect(fault(at: folder.path(of: "file"))?.isNobodyThere == true)
    }

    @Test func aPathThatTheKernelDoesNotTakeIsTold() {
        for length in [108, 5000] {
            let error = fault(at: "/" + String(repeating: "x", count: length))
            #expect(error?.reason == .unreachable(.fileNameTooLong))
            #expect(error?.description == "File name too long")
        }
    }

    @Test func anAgentOfAnotherUserIsTold() {
        let error = AdminClientError(.unreachable(.permissionDenied))
        #expect(!error.isNobodyThere && error.description.contains("another user"))
    }

    /// What the other end does with the request.
    ///
    /// - Parameter text: nil for nothing, without an end.
    private func answered(by text: String?, patience: Duration? = nil) throws -> AdminClientError? {
        let listener = try listeningSocket(at: path)
        defer {
            close(listener)
            unlink(path)
        }
        let done = Gate()
        Thread.detachNewThread {
            let peer = accept(listener, nil, nil)
            var request = [UInt8](repeating: 0, count: 4096)
            _ = recv(peer, &request, request.count, 0)
            if let text {
                _ = send(peer, text, text.utf8.count, Int32(MSG_NOSIGNAL))
            } else {
                try? done.wait()
            }
            close(peer)
        }
        defer { done.open() }
        return fault(patience: patience)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\r\n{}", "{}", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
    ])
    func whatIsNoAnswerIsTold(text: String) throws {
        let error = try answered(by: text)
        #expect(error?.reason == .nonsense)
        #expect(error?.isNobodyThere == false)
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"])
    func anAgentThatEndsBeforeItsAnswerIsToldSo(text: String) throws {
        let error = try answered(by: text)
        #expect(error?.reason == .brokeOff)
        #expect(error?.isNobodyThere == false)
    }

    @Test func anAgentThatIsStuckIsNotWaitedForForEver() throws {
        #expect(try answered(by: nil, patience: .milliseconds(200))?.reason == .timedOut)
    }

    @Test func anAgentThatTakesNoConnectionsIsNotWaitedForForEver() throws {
        let listener = try listeningSocket(at: path, backlog: 0)
        defer { close(listener) }
        let waiting = try StreamSocket(path: path)
        #expect(fault(patience: .milliseconds(200))?.reason == .timedOut)
        waiting.close()
    }
}
