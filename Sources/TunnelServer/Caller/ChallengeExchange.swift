import Glibc
import HTTPMessage
import HTTPServing
import HostSystem
import NIOCore
import NIOPosix
import Observability

/// A request of a certificate authority for a file that shows who has the host (RFC 8555 §8.3), and its answer.
final class ChallengeExchange: ServedExchange {
    /// Such a file holds a line.
    private static let longestFile = 16 << 10
    private static let notFound = OwnAnswer(404, line: "Not found")

    private let files: [String]
    private var stream: (any CallerStream)?
    private let eventLoop: any EventLoop
    private var record: RequestRecord

    init(files: [String], stream: any CallerStream, record: consuming RequestRecord) {
        self.files = files
        self.stream = stream
        self.eventLoop = stream.eventLoop
        self.record = record
    }

    var takesBytes: Bool { true }

    func start() {
        let files = files
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { Self.text(ofFirst: files) }
            .assumeIsolated().whenComplete { result in
                let text = (try? result.get()) ?? nil
                self.answer(text.map { OwnAnswer(200, line: $0) } ?? Self.notFound)
            }
    }

    private static func text(ofFirst paths: [String]) -> String? {
        for path in paths {
            if let text = text(of: path) { return text }
        }
        return nil
    }

    /// Of a regular file; links are not followed.
    private static func text(of path: String) -> String? {
        guard let file = try? OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW))
        else { return nil }
        var status = stat()
        guard fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= longestFile, let bytes = try? file.read()
        else { return nil }
        let line = bytes.prefix { $0 != 0x0a && $0 != 0x0d }
        return String(validating: line, as: UTF8.self)
    }

    private func answer(_ answer: OwnAnswer) {
        guard let stream else { return }
        record.answeredHere(answer, now: eventLoop.now)
        self.stream = nil
        stream.send(answer, closes: false)
        stream.exchangeEnded()
    }

    func callerSent(_ bytes: ByteBuffer) {}
    func callerEndedRequest(trailers: HeaderFields?) {}
    func callerEndedRaw() {}
    func callerBrokeRules(_ error: HTTPMessageError) { cutShort() }
    func callerLeft() {
        stream = nil
        record.finish(.callerLeft, now: eventLoop.now)
    }

    func callerBecameWritable() {}
    func answerIsOut(missing: Int) {}
    func serverStops() {}

    func cutShort() {
        let stream = stream
        self.stream = nil
        record.finish(.shutdown, now: eventLoop.now)
        stream?.exchangeBroke(isWhole: false)
    }

    func checkTime() {}
}
