import Foundation
import Synchronization

/// What the threads of an old client share.
final class OldClientCore: Sendable {
    private struct State {
        var ids: [Int] = []
        var inFlight: Set<Int> = []
        var isLeaving = false
    }

    let options: OldTunnelClient.Options
    let violations = OldViolations()
    let ended = WaitableCounter()
    let asked = WaitableCounter()
    let pongs = WaitableCounter()
    private let handler: OldTunnelClient.Handler
    private let state = Mutex(State())

    init(_ options: OldTunnelClient.Options, _ handler: @escaping OldTunnelClient.Handler) {
        self.options = options
        self.handler = handler
    }

    var ids: [Int] { state.withLock { $0.ids } }

    /// From now on an end within a message is this client's own doing.
    func leave() { state.withLock { $0.isLeaving = true } }

    func ping(_ link: OldLink) {
        while (try? link.send(.ping(Array("are you there".utf8)))) != nil {
            if (try? link.over.wait(within: options.timeout / 3)) != nil { return }
        }
    }

    func serve(_ link: OldLink) {
        defer {
            link.end()
            ended.add(1)
        }
        var message: [UInt8] = []
        do {
            while true {
                switch try link.readFrame() {
                case .ping(let payload): try link.send(.pong(payload))
                case .pong: pongs.add(1)
                case .close: return link.sendClose()
                case .data(let part, let isFinal):
                    message += part
                    guard message.count <= OldFacts.messageLimit else {
                        violations.add("a message over 100 MiB")
                        return link.socket.cut()
                    }
                    if isFinal {
                        take(message, link)
                        message = []
                    }
                }
            }
        } catch StreamEnd.timedOut {
            violations.add("no pong for \(options.timeout)")
        } catch is StreamEnd {
            if !message.isEmpty && !state.withLock({ $0.isLeaving }) && !options.toleratesCutRequests {
                violations.add("the connection ended within a message")
            }
        } catch {}
    }

    private func take(_ message: [UInt8], _ link: OldLink) {
        guard let id = OldFacts.id(from: message.prefix(4)) else {
            return violations.add("no id: \(String(decoding: message.prefix(8), as: UTF8.self))")
        }
        violations.expect(id < OldFacts.idModulus, "the id \(id)")
        let isNew = state.withLock { state in
            state.ids.append(id)
            return state.inFlight.insert(id).inserted
        }
        violations.expect(isNew, "the id \(id) while it is in flight")
        let request = OldRequest(id: id, text: Array(message.dropFirst(4)), violations)
        let answer = OldAnswer(to: request, link, options)
        violations.expect(
            request.isWhole || options.toleratesCutRequests, "the request \(request.head.startLine) is cut")
        asked.add(1)
        Thread.detachNewThread { [self] in
            defer { _ = state.withLock { $0.inFlight.remove(id) } }
            guard request.isWhole else { return (try? answer.respond(502, text: "cut request")) ?? () }
            do {
                try handler(request, answer)
            } catch {
                link.socket.cut()
            }
        }
    }
}
