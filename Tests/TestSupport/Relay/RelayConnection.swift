import Foundation

extension FaultyRelay {
    /// What becomes of a request that reaches the server twice.
    enum Repetition: CaseIterable {
        /// The second comes behind the answer to the first, and its own answer is lost.
        case behind
        /// Both are under way at once, and the client gets the answer to the first, or to the second.
        case besideAndLost, besideAndAnswered
    }
}

/// A client's connection to a `FaultyRelay`, and that to the server that goes with it.
final class RelayConnection {
    private typealias Repetition = FaultyRelay.Repetition

    private let client: RelayEnd
    private let state: FaultyRelay.State
    private var server: RelayEnd?

    init(_ socket: StreamSocket, state: FaultyRelay.State) {
        client = RelayEnd(socket)
        self.state = state
    }

    /// Serves it to its end.
    func run() {
        defer { closeServer() }
        do {
            while let head = try client.readHead(watching: server), try serve(head) {}
        } catch {
            // Either end has left, or was cut.
            client.socket.cut()
        }
    }

    private func closeServer() {
        if let server { state.unregister(server.socket) }
        server = nil
    }

    /// - Returns: whether another request may follow.
    private func serve(_ request: RelayEnd.Head) throws -> Bool {
        // The count of requests passed on that this one waits for.
        let overtaking = state.isOvertaken() ? state.passed.value + 1 : nil
        state.counts.requests.add(1)
        let faults = state.faults
        var request = request
        let isUpgrade = request.message["Upgrade"] != nil
        if isUpgrade { state.counts.upgrades.add(1) }
        if isUpgrade && faults.upgrades == .swallowed {
            state.counts.swallowed.add(1)
            while true {
                client.consume(client.buffered.count)
                try client.fill()
            }
        }
        if isUpgrade && faults.upgrades == .stripped {
            state.counts.stripped.add(1)
            request.bytes = request.without(["upgrade", "connection"])
        }
        let framing = Self.framing(of: request.message)
        if let answer = ownAnswer(faults, framing) {
            state.counts.answered.add(1)
            try client.write(Array(answer.utf8))
            // What was sent must be read, or the kernel resets the connection before the answer is.
            client.socket.finishWriting()
            while true {
                client.consume(client.buffered.count)
                try client.fill()
            }
        }
        return try passOn(request, framing, waitingFor: overtaking, faults)
    }

    private func ownAnswer(_ faults: RelayFaults, _ framing: BodyFraming) -> String? {
        let (status, text): (String, String)
        if faults.blockPage {
            (status, text) = ("200 OK", "<html><title>Blocked</title>This page is not for you.</html>\n")
        } else if let longest = faults.longestBody, case .length(let length) = framing, length > longest {
            (status, text) = ("413 Request Entity Too Large", "<html><h1>413 Too Large</h1></html>\n")
        } else {
            return nil
        }
        return "HTTP/1.1 \(status)\r\nServer: relay\r\nContent-Type: text/html\r\n"
            + "Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n\(text)"
    }

    private func passOn(
        _ request: RelayEnd.Head, _ framing: BodyFraming, waitingFor overtaking: Int?, _ faults: RelayFaults
    ) throws -> Bool {
        let repetition = state.repetition()
        let server = try server ?? state.connect()
        self.server = server
        let method = request.message.method
        guard repetition != nil || overtaking != nil else {
            try server.write(request.bytes)
            // A server that answers early may take no more; its answer counts.
            do {
                try client.readBody(framing, watching: nil) { bytes, _ in try server.write(bytes) }
            } catch StreamEnd.reset {}
            state.passed.add(1)
            return try passBack(from: server, to: method, faults)
        }
        var whole = request.bytes
        try client.readBody(framing, watching: nil) { bytes, _ in whole += bytes }
        if let overtaking,
            (try? state.passed.wait(for: overtaking, within: faults.longestWait, what: "")) != nil
        {
            state.counts.overtaken.add(1)
        }
        try server.write(whole)
        state.passed.add(1)
        guard let repetition else { return try passBack(from: server, to: method, faults) }
        state.counts.repeated.add(1)
        return try passBackTwice(whole, method, repetition, first: server, faults)
    }

    /// Sends a request once more, and passes one of the answers back.
    private func passBackTwice(
        _ request: [UInt8], _ method: String, _ repetition: Repetition, first: RelayEnd, _ faults: RelayFaults
    ) throws -> Bool {
        if repetition == .behind {
            let goesOn = try passBack(from: first, to: method, faults)
            let second = try state.connect()
            try second.write(request)
            lose(answerOf: second, to: method)
            return goesOn
        }
        let second = try state.connect()
        try second.write(request)
        guard repetition == .besideAndAnswered else {
            lose(answerOf: second, to: method)
            return try passBack(from: first, to: method, faults)
        }
        lose(answerOf: first, to: method)
        server = second
        return try passBack(from: second, to: method, faults)
    }

    /// Reads an answer that nobody gets, on a thread of its own, and closes its connection.
    private func lose(answerOf server: RelayEnd, to method: String) {
        let state = state
        Thread.detachNewThread {
            defer { state.unregister(server.socket) }
            while let head = try? server.readHead(watching: nil), head.message.status != 101 {
                let framing = HTTPConnection.framing(of: head.message, toMethod: method)
                guard (try? server.readBody(framing, watching: nil) { _, _ in }) != nil else { return }
                if head.message.status >= 200 { return }
            }
        }
    }

    // MARK: Answers

    /// - Returns: whether another request may follow.
    private func passBack(from server: RelayEnd, to method: String, _ faults: RelayFaults) throws -> Bool {
        while let head = try server.readHead(watching: client) {
            if head.message.status == 101 { return try switchOver(head, faults.upgrades) }
            if head.message.status < 200 {
                try client.write(head.bytes)
                continue
            }
            let framing = HTTPConnection.framing(of: head.message, toMethod: method)
            if state.losesAnswer() {
                try server.readBody(framing, watching: client) { _, _ in }
                state.counts.lost.add(1)
                return false
            }
            try passBack(head, framing, from: server, holding: faults.heldBytes)
            return framing != .untilClose && !head.message.has("Connection", "close")
        }
        return false
    }

    private func passBack(
        _ head: RelayEnd.Head, _ framing: BodyFraming, from server: RelayEnd, holding limit: Int?
    ) throws {
        guard let limit else {
            try client.write(head.bytes)
            return try server.readBody(framing, watching: client) { bytes, _ in try client.write(bytes) }
        }
        var held = head.bytes
        var count = 0
        var pieces = 0
        try server.readBody(framing, watching: client) { bytes, payload in
            count += payload
            pieces += 1
            guard count <= limit || !held.isEmpty else { return try client.write(bytes) }
            held += bytes
            guard count > limit else { return }
            if pieces > 1 { state.counts.held.add(1) }
            try client.write(held)
            held = []
        }
        if held.isEmpty { return }
        if pieces > 1 { state.counts.held.add(1) }
        try client.write(held)
    }

    /// Passes all bytes in both directions, until either end leaves.
    private func switchOver(_ head: RelayEnd.Head, _ upgrades: RelayFaults.Upgrades) throws -> Bool {
        guard let server else { return false }
        if case .cut(let isAnswered) = upgrades {
            state.counts.cut.add(1)
            if isAnswered { try client.write(head.bytes) }
            return false
        }
        state.counts.switched.add(1)
        try client.write(head.bytes)
        let client = client
        let upwards = WaitableCounter()
        Thread.detachNewThread {
            Self.pump(from: client, to: server)
            upwards.add(1)
        }
        Self.pump(from: server, to: client)
        try upwards.wait(for: 1, within: .seconds(600), what: "the client to end its connection")
        return false
    }

    private static func pump(from source: RelayEnd, to destination: RelayEnd) {
        do {
            while true {
                try destination.write(source.buffered)
                source.consume(source.buffered.count)
                try source.fill()
            }
        } catch StreamEnd.closed {
            destination.socket.finishWriting()
        } catch {
            source.socket.cut()
            destination.socket.cut()
        }
    }

    private static func framing(of request: MessageHead) -> BodyFraming {
        if request.has("Transfer-Encoding", "chunked") { return .chunked }
        return request["Content-Length"].flatMap { Int($0) }.map { .length($0) } ?? .none
    }
}
