import HTTPMessage
import NIOCore

/// What the admin API answers.
enum AdminReply: Sendable {
    case answer(OwnAnswer)
    /// With status 200, for as long as there is something to tell, the server runs, and who asked stays.
    case stream(AdminStream)

    /// A value as JSON.
    static func json(_ status: Int, _ value: some Encodable) -> AdminReply { .answer(.json(status, value)) }

    /// - Parameter words: what is wrong and what to do.
    static func error(_ status: Int, _ words: String) -> AdminReply { .answer(.adminError(status, words)) }
}

/// An answer without an end of its own, such as server-sent events.
struct AdminStream: Sendable {
    /// Of the answer, as `text/event-stream`.
    let mediaType: String
    /// The next piece, which goes out at once; nil where there are no more. Asked for again when what came before has been
    /// taken, so that nothing gathers for who reads slowly. The task that waits in it is cancelled when the answer is over:
    /// then it returns at once.
    let next: @Sendable () async -> ByteBuffer?
}
