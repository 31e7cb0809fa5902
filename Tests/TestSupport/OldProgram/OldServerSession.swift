import Foundation
import Synchronization

/// One tunnel connection at an old server: a thread that sends requests, and one that reads responses.
final class OldServerSession: Sendable {
    let link: OldLink
    let token: String
    private let core: OldServerCore
    private let state = Mutex(State())

    private struct State {
        var pending: [Int: OldCall] = [:]
        /// Ids that were asked with and answered on this connection.
        var answered: Set<Int> = []
        var isOver = false
    }

    init(_ link: OldLink, token: String, _ core: OldServerCore) {
        self.link = link
        self.token = token
        self.core = core
    }

    var isOver: Bool { state.withLock { $0.isOver } }

    // MARK: Requests

    func sendRequests() {
        while let (call, id) = core.nextCall(for: self) {
            state.withLock { state in
                state.pending[id] = call
                state.answered.remove(id)
            }
            do {
                try link.send(message: Array(OldFacts.text(ofID: id).utf8) + call.text)
                core.sent.add(1)
            } catch {
                state.withLock { $0.pending[id] = nil }
                link.socket.interrupt()
                if call.failedTry() < 3 {
                    core.putBack(call, token: token)
                } else {
                    call.pipe.finish(.timedOut)
                }
            }
        }
    }

    // MARK: Responses

    /// Reads until the connection is over.
    func readResponses() {
        defer { end() }
        var id: [UInt8] = []
        var call: OldCall?
        do {
            while true {
                switch try link.readFrame() {
                case .ping(let payload):
                    core.sawPing()
                    if core.options.answersPings { try link.send(.pong(payload)) }
                case .pong: core.pongs.add(1)
                case .close: return link.sendClose()
                case .data(let part, let isFinal):
                    let missing = 4 - id.count
                    id += part.prefix(missing)
                    if missing > 0 && id.count == 4 { call = calledFor(id) }
                    call?.pipe.put(Array(part.dropFirst(missing)))
                    if isFinal {
                        core.violations.expect(id.count == 4, "a message of \(id.count) bytes")
                        call?.pipe.finish(.whole)
                        id = []
                        call = nil
                    }
                }
            }
        } catch StreamEnd.timedOut {
            core.timedOut.add(1)
        } catch {
            // The caller of a response that is under way learns of it in `end`.
        }
        call?.pipe.finish(.broken)
    }

    private func calledFor(_ digits: [UInt8]) -> OldCall? {
        guard let id = OldFacts.id(from: digits) else {
            core.violations.add("no id: \(String(decoding: digits, as: UTF8.self))")
            return nil
        }
        return state.withLock { state in
            if let call = state.pending.removeValue(forKey: id) {
                state.answered.insert(id)
                return call
            }
            let what = state.answered.contains(id) ? "a second response to" : "a response to the unknown id"
            core.violations.add("\(what) \(id)")
            return nil
        }
    }

    /// Requests that were handed over stay unanswered: their callers wait until the time is up, as the old
    /// program leaves it.
    private func end() {
        state.withLock { $0.isOver = true }
        link.end()
        core.wakeUp()
    }
}
