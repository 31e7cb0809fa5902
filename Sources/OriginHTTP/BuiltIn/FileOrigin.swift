import Glibc
package import HTTPMessage
package import NIOCore
package import NIOPosix
import SystemPackage

/// `file:///some/folder`: serves the files of a folder to `GET` and `HEAD`.
///
/// A folder is answered with its `index.html`, never with a listing. Hidden files are served only where that was asked
/// for. The folder is looked up for each request, so that it may be swapped for another.
package struct FileOrigin: Origin {
    private let folder: String
    private let servesHidden: Bool
    private let threads: NIOThreadPool

    /// - Parameters:
    ///   - folder: absolute path; need not exist yet.
    ///   - servesHidden: whether files and folders whose names begin with a dot are served, and what links lead to by them.
    ///   - threads: where files are opened and read, since that may block.
    package init(folder: String, servesHidden: Bool = false, threads: NIOThreadPool = .singleton) {
        self.folder = folder
        self.servesHidden = servesHidden
        self.threads = threads
    }

    package func begin(
        _ request: RequestHead, framing: BodyFraming, host: String?, on eventLoop: any EventLoop,
        receiver: any OriginResponseReceiver
    ) -> any OriginExchange {
        let answer = LocalAnswer(on: eventLoop, receiver: receiver)
        let exchange = FileExchange(request, answer: answer, threads: threads, eventLoop: eventLoop)
        exchange.start(folder: folder, servesHidden: servesHidden)
        return exchange
    }
}

private final class FileExchange: OriginExchange {
    /// Bytes of one read. What nobody takes waits in memory: so it is little at first, half of what was taken before, and
    /// in the end large enough to keep threads idle, small enough for a fair turn.
    private static let readSizes = 16 << 10...128 << 10

    private let request: RequestHead
    private let answer: LocalAnswer
    private let threads: NIOThreadPool
    private let eventLoop: any EventLoop
    private var file: OpenFile?
    private var remaining = 0..<0
    private var sentBytes = 0
    private var isReading = false

    init(_ request: RequestHead, answer: LocalAnswer, threads: NIOThreadPool, eventLoop: any EventLoop) {
        self.request = request
        self.answer = answer
        self.threads = threads
        self.eventLoop = eventLoop
    }

    // A body of the request is of no interest: it is taken and dropped.
    var isWritable: Bool { true }
    func send(_ bytes: ByteBuffer) {}
    func end(trailers: HeaderFields?) {}

    func cancel() {
        answer.cancel()
        file = nil
    }

    func pauseReading() { answer.pause() }
    func resumeReading() { answer.resume() }

    func start(folder: String, servesHidden: Bool) {
        guard request.method == "GET" || request.method == "HEAD" else {
            var refusal = OwnAnswer(405, text: "only GET and HEAD are served here\n", isCacheable: true)
            refusal.append(named: "Allow", "GET, HEAD")
            return answer.send(refusal, to: request)
        }
        do throws(FolderPath.Refusal) {
            let path = try FolderPath(target: request.target, servesHidden: servesHidden)
            find(path, folder: folder, servesHidden: servesHidden)
        } catch {
            refuse(error == .malformed ? 400 : 404)
        }
    }

    private func find(_ path: FolderPath, folder: String, servesHidden: Bool) {
        let name = path.namesFolder && !path.path.isEmpty ? path.path + "/index.html" : path.path
        let isRoot = path.path.isEmpty
        threads.runIfActive(eventLoop: eventLoop) {
            Result { () throws(OpenFile.Failure) in
                try OpenFile.open(isRoot ? "index.html" : name, in: folder, servesHidden: servesHidden)
            }
        }.assumeIsolated().whenComplete { result in
            switch result {
            case .success(.success(.file(let file))): self.found(file, name: isRoot ? "index.html" : name)
            case .success(.success(.folder)): path.namesFolder ? self.refuse(404) : self.redirect()
            case .success(.failure(.notFound)): self.refuse(404)
            case .success(.failure(.forbidden)): self.refuse(403)
            case .success(.failure(.system(let code))): self.fail(code)
            case .failure: self.answer.fail(.unreadable, "files cannot be read: the process is ending")
            }
        }
    }

    private func found(_ file: OpenFile, name: String) {
        guard !answer.isOver else { return }
        let decision = FileAnswer(
            request, path: name, size: file.size,
            modified: (file.modifiedSeconds, file.modifiedNanoseconds))
        let hasBody = !decision.range.isEmpty
        answer.answer(decision.head, framing: hasBody ? .length(decision.range.count) : .none)
        guard hasBody else { return answer.end() }
        self.file = file
        remaining = decision.range
        answer.wantsMore = { self.readMore() }
        readMore()
    }

    /// One read at a time, and none while the receiver has paused.
    private func readMore() {
        guard !isReading, !answer.isOver, let file else { return }
        isReading = true
        let most = min(max(sentBytes / 2, Self.readSizes.lowerBound), Self.readSizes.upperBound)
        let (start, count) = (remaining.lowerBound, min(remaining.count, most))
        threads.runIfActive(eventLoop: eventLoop) {
            try file.read(at: start, count: count)
        }.assumeIsolated().whenComplete { result in
            self.isReading = false
            guard !self.answer.isOver else { return }
            switch result {
            case .success(let bytes) where bytes.readableBytes > 0: self.read(bytes)
            case .success: self.lost("file became shorter while it was sent")
            case .failure(let error): self.lost("file cannot be read: \(error)")
            }
        }
    }

    private func read(_ bytes: ByteBuffer) {
        remaining = remaining.lowerBound + bytes.readableBytes..<remaining.upperBound
        sentBytes += bytes.readableBytes
        if remaining.isEmpty {
            file = nil
            answer.wantsMore = nil
        }
        answer.send(bytes)
        if remaining.isEmpty { answer.end() }
    }

    private func lost(_ message: String) {
        file = nil
        answer.fail(.unreadable, message)
    }

    private func fail(_ code: CInt) {
        answer.fail(
            [EMFILE, ENFILE].contains(code) ? .noDescriptors : .unreadable,
            "file cannot be opened: \(Errno(rawValue: code))")
    }

    private func redirect() {
        var elsewhere = OwnAnswer(301, text: "", isCacheable: true)
        elsewhere.append(named: "Location", FolderPath.redirect(request.target))
        answer.send(elsewhere, to: request)
    }

    private func refuse(_ status: Int) {
        answer.send(
            OwnAnswer(status, text: "\(ReasonPhrase.standard(status))\n", isCacheable: true), to: request)
    }
}
