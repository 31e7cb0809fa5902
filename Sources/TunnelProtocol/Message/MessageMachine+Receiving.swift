import DequeModule
import HTTPMessage

package import struct NIOCore.ByteBuffer

/// What a peer of protocol v1 did wrong; each ends the session.
package enum MessageError: Error, Hashable, Sendable, CustomStringConvertible {
    case numberMissing
    case flooded

    package var description: String {
        switch self {
        case .numberMissing: "a message that does not begin with a request's number"
        case .flooded: "more requests than anybody could answer"
        }
    }
}

/// Where we are in the message that comes.
struct IncomingMessage {
    enum State {
        case number
        case requestHead(RequestHeadReader)
        case responseHead(ResponseHeadReader, StreamID)
        case body(BodyDecoder, StreamID)
        /// The rest of the message is dropped.
        case rest
    }

    var state = State.number
    /// The message's number, once it came.
    var number: UInt16?
    var buffer = ByteBuffer()

    /// Whose body it is that has come in part.
    var bodyOf: StreamID? {
        if case .body(_, let id) = state { id } else { nil }
    }

    /// Whether part of a request's head has come, the number included.
    var isInRequestHead: Bool {
        switch state {
        case .number: buffer.readableBytes > 0
        case .requestHead: true
        default: false
        }
    }
}

extension MessageMachine {
    package mutating func receive(_ piece: ByteBuffer, now: MonotonicInstant) {
        heard(now: now)
        if incoming.buffer.readableBytes == 0 {
            incoming.buffer = piece
        } else {
            incoming.buffer.discardReadBytes()
            incoming.buffer.writeImmutableBuffer(piece)
        }
    }

    package mutating func nextEvent(
        now: MonotonicInstant, work: inout Int
    ) throws(MessageError) -> SessionEvent? {
        while events.isEmpty, work > 0, try step() { work -= 4 }
        if let event = events.popFirst() { return event }
        assess(now: now)
        return nil
    }

    /// - Returns: whether there may be more to do.
    private mutating func step() throws(MessageError) -> Bool {
        switch incoming.state {
        case .number:
            return try readNumber()
        case .requestHead(var reader):
            do throws(HTTPMessageError) {
                let head = try reader.next(&incoming.buffer)
                incoming.state = .requestHead(reader)
                guard let head else { return false }
                requestCame(head, framing: try head.bodyFraming())
            } catch {
                refuseRequest("GET", 400, "the request is no valid HTTP: \(error)")
            }
            return true
        case .responseHead(var reader, let id):
            do throws(HTTPMessageError) {
                let head = try reader.next(&incoming.buffer)
                incoming.state = .responseHead(reader, id)
                guard let head else { return false }
                try responseCame(id, head)
            } catch {
                end(id, .malformedMessage, "the answer is no valid HTTP: \(error)")
                incoming.state = .rest
            }
            return true
        case .body(let decoder, let id):
            return bodyCame(decoder, id)
        case .rest:
            incoming.buffer.clear(minimumCapacity: 0)
            return false
        }
    }

    private mutating func readNumber() throws(MessageError) -> Bool {
        guard let digits = incoming.buffer.readSlice(length: RequestNumber.digits) else { return false }
        guard let number = RequestNumber.parse(digits.readableBytesView) else { throw .numberMissing }
        incoming.number = number
        receiveHold = .toLive
        switch role {
        case .opener:
            switch numbers[number] {
            case .some(.some(let id)) where streams[id]?.outgoing.isOpen == true:
                incoming.state = .responseHead(ResponseHeadReader(limits: limits.headLimits), id)
            case .some(nil):
                numbers.removeValue(forKey: number)
                incoming.state = .rest
            default:
                incoming.state = .rest
            }
        case .acceptor:
            if case .some(.some(let id)) = numbers[number] { supersede(id) }
            // Those beyond the limit are refused, but refusals too wait to be sent.
            guard streams.count < limits.v1.maximumStreams + MessageLimits.mostRefusals else {
                throw .flooded
            }
            incoming.state = .requestHead(RequestHeadReader(limits: limits.headLimits))
        }
        return true
    }

    // MARK: Tunnel client

    /// The server's count came round to the number of a request that is still open: it has forgotten that one, and
    /// would take its answer for that of the new one. An answer that is on its way already may go on.
    private mutating func supersede(_ id: StreamID) {
        guard streams[id]?.outgoing.isOpen == false else { return }
        events.append(.reset(id, .cancelled, reason: "the server gave its number to another request"))
        remove(id)
    }

    private mutating func requestCame(_ head: RequestHead, framing: BodyFraming) {
        guard streams.count < limits.v1.maximumStreams else {
            refuseRequest(head.method, 503, "too many requests at once")
            return
        }
        let id = newStream(method: head.method)
        var head = head
        Forwarding.rewrite(&head.fields, at: .requestOutOfMessage)
        var text = ByteBuffer()
        text.writeRequestHead(head)
        let isLast = framing == .none
        streams[id]?.hasReceivedEverything = isLast
        events.append(.request(id, head: text, isLast: isLast))
        incoming.state = isLast ? .rest : .body(BodyDecoder(framing), id)
    }

    private mutating func refuseRequest(_ method: String, _ status: Int, _ reason: String) {
        let id = newStream(method: method)
        streams[id]?.hasReceivedEverything = true
        answerInstead(id, status, reason)
        incoming.state = .rest
    }

    /// - Returns: a stream for the message that comes.
    private mutating func newStream(method: String) -> StreamID {
        let number = incoming.number ?? 0
        lastStream &+= 1
        let id = StreamID(lastStream)
        streams[id] = MessageStream(number: number, method: method, limits: limits)
        numbers[number] = .some(id)
        return id
    }

    // MARK: Tunnel server

    private mutating func responseCame(_ id: StreamID, _ head: ResponseHead) throws(HTTPMessageError) {
        guard let index = streams.index(forKey: id) else {
            incoming.state = .rest
            return
        }
        guard !head.isInterim else { return }
        guard head.status != 101 else { throw HTTPMessageError(.malformed, "an upgrade nobody asked for") }
        let framing = try head.bodyFraming(requestMethod: streams.values[index].method)
        var text = ByteBuffer()
        text.writeResponseHead(head)
        let isLast = framing == .none
        events.append(.response(id, head: text, isInterim: false, isLast: isLast))
        if isLast {
            receivingEnded(id)
            incoming.state = .rest
        } else {
            incoming.state = .body(BodyDecoder(framing), id)
        }
    }

    // MARK: Both

    private mutating func bodyCame(_ decoder: BodyDecoder, _ id: StreamID) -> Bool {
        guard let index = streams.index(forKey: id), !streams.values[index].ignoresRest else {
            incoming.state = .rest
            return true
        }
        var decoder = decoder
        do throws(HTTPMessageError) {
            let part = try decoder.next(&incoming.buffer)
            incoming.state = .body(decoder, id)
            guard let part else { return false }
            bodyPartCame(part, id)
        } catch {
            bodyBroke(id, "its body is no valid HTTP: \(error)")
        }
        return true
    }

    private mutating func bodyPartCame(_ part: BodyDecoder.Part, _ id: StreamID) {
        switch part {
        case .bytes(let bytes):
            if let index = streams.index(forKey: id) {
                streams.values[index].unread.received(bytes.readableBytes, budget: budget)
                if streams.values[index].unread.isFull, !hasEnded { blocker = id }
            }
            events.append(.data(id, bytes, isLast: false))
        case .end(let trailers):
            incoming.state = .rest
            if let trailers {
                events.append(.trailers(id, trailers.trailerLines))
            } else {
                events.append(.data(id, ByteBuffer(), isLast: true))
            }
            unblock(id)
            receivingEnded(id)
        }
    }

    private mutating func bodyBroke(_ id: StreamID, _ reason: String) {
        incoming.state = .rest
        end(id, role == .opener ? .originFailed : .malformedMessage, reason)
    }

    package mutating func messageEnded() throws(MessageError) {
        switch incoming.state {
        case .number:
            throw .numberMissing
        case .requestHead:
            refuseRequest("GET", 400, "the request breaks off in its head")
        case .responseHead(_, let id):
            end(id, .malformedMessage, "the answer breaks off in its head")
        case .body(var decoder, let id):
            do throws(HTTPMessageError) {
                if let part = try decoder.endOfInput() { bodyPartCame(part, id) }
            } catch {
                bodyBroke(id, "it breaks off in its body")
            }
        case .rest:
            break
        }
        incoming = IncomingMessage()
    }
}
