// What the client's end is told, and tells.
extension LongPollClientMachine {
    package struct Limits: Sendable, Hashable {
        package var polls = 2
        package var uploads = 4
        /// What is written little by little is gathered for so long, while something is under way.
        package var gatherTime = Duration.milliseconds(5)
        package var gatherBytes = 256 << 10
        /// What of an answer has come is told by itself when it is so much, in bytes.
        package var acknowledgedAlone = 512 << 10
        /// An upload that was not answered for so long is lost.
        package var uploadTime = Duration.seconds(20)
        /// A poll that was not answered so long after it should have been is lost.
        package var pollSlack = Duration.seconds(10)
        /// What stands behind a gap for so long is asked for again with it.
        package var gapTime = Duration.seconds(5)
        /// Between requests that fail, or are answered at once with nothing; doubled each time.
        package var pause = Duration.milliseconds(50)...(.seconds(2))
        /// So many polls in a row may be answered at once with nothing.
        package var hollowPolls = 8
        /// Where requests have failed for so long, without any answer, the session is lost.
        package var patience = Duration.seconds(60)
        /// Where the first upload was not answered for so long while a poll is held, it is taken that there may be one
        /// connection at a time.
        package var crampedAfter = Duration.seconds(2)
        /// For so long; then it is tried again whether more get through.
        package var singleTime = Duration.seconds(600)

        package init() {}
    }

    package enum Kind: Sendable, Hashable {
        case poll
        case upload
        /// One that is held and may carry data: the only one under way.
        case single
    }

    package struct Request: Sendable, Hashable {
        package var number: UInt64
        package var kind: Kind
        package var frame: LongPollFrame
        /// When it is to be given up.
        package var deadline: MonotonicInstant
    }

    package enum Action: Sendable, Hashable {
        case send(Request)
        /// Gives a request up: its connection is closed.
        case cancel(UInt64)
    }

    /// Why no answer came.
    package enum Failure: Sendable, Hashable {
        /// The connection ended.
        case cut
        /// A connection ended that had been there for a while: others may be good.
        case stale
        /// No connection came about, or it ended before anything was sent.
        case notConnected
        case timedOut
        /// Something in between takes no message of that size.
        case tooLarge
        /// What answered is not the server; a page of a proxy, say.
        case foreign
        /// We gave it up.
        case cancelled
    }

    /// Why the carrier is over.
    package enum End: Sendable, Hashable {
        /// Both ends said that they have ended.
        case finished
        /// The server does not know the session.
        case gone
        /// No answer came for too long.
        case lost
        case misuse(LongPollReceiver.Misuse)
        case acknowledgedTooMuch
    }
}
