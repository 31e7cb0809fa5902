internal import AgentStatus
internal import Glibc
internal import HostSystem
internal import TunnelConfiguration

/// What has to be told of a history's file, once each time.
enum HistoryNews: Sendable, Equatable {
    case failing(String)
    case recovered(path: String)
    /// Questions find it damaged, though it is written.
    case unreadable(String)
    /// - Parameter to: where the damaged file lies now.
    case movedAside(path: String, to: String)
}

/// The file of a history, opened, written, mended and opened again as it takes. Waits for disks; for one thread.
struct HistoryDesk {
    /// How long it takes until a file that could not be used is tried again, in milliseconds.
    private static let retryAfter: Int64 = 2000
    /// How often damaged files are moved aside: a disk that damages all of them would be filled with them.
    private static let mostMoves = 3
    /// Between two looks for what is too old, and for what the rows are, in milliseconds.
    private static let forgetsEvery: Int64 = 30_000
    private static let countsEvery: Int64 = 1000
    /// Between two checks of a file that questions find damaged, in milliseconds: each reads all of it.
    private static let checksEvery: Int64 = 600_000
    /// How long a check may take: meanwhile nothing is written, and the agent's end waits for it.
    private static let checkPatience: Duration = .seconds(3)
    /// Steps of taking away that are made at once, beside what is written.
    private static let mostSteps = 8

    private var configuration: HistoryConfiguration?
    private var file: HistoryFile?
    private(set) var fault: HistoryFault?
    private var faultSince: Int64?
    /// What questions meet in a file that is written.
    private(set) var doubt: HistoryFault?
    private var doubtSince: Int64?
    /// Until when a doubt stands and no other check is made.
    private var checkAt: Int64 = 0
    /// When it is tried next.
    private var retryAt: Int64 = 0
    private var forgetAt: Int64 = 0
    private var countAt: Int64 = 0
    private var moves = 0
    private(set) var snapshot = HistorySnapshot()
    private(set) var news: [HistoryNews] = []

    /// Whether answers come from the file.
    var isInFile: Bool { file != nil }
    var path: String? { configuration?.file }
    var isWanted: Bool { configuration != nil }

    /// From now on it is kept there; what was open is closed.
    mutating func apply(_ configuration: HistoryConfiguration?) {
        guard configuration != self.configuration else { return }
        self.configuration = configuration
        file = nil
        (fault, faultSince) = (nil, nil)
        trust()
        (retryAt, forgetAt, countAt) = (0, 0, 0)
        snapshot = HistorySnapshot(file: configuration?.file)
        snapshot.maxBytes = configuration?.maxBytes
    }

    mutating func takeNews() -> [HistoryNews] {
        defer { news = [] }
        return news
    }

    mutating func close() { file = nil }

    /// Writes what there is, and looks after the file.
    ///
    /// - Returns: false where it could not be written.
    mutating func write(_ shelf: HistoryShelf, now: HistoryMoment) -> Bool {
        guard let file = opened(now: now) else { return false }
        do throws(SQLiteError) {
            // Where there is nothing to write, only a write tells whether what was wrong is over.
            if !shelf.isEmpty { try file.write(shelf) } else if fault != nil { try file.probe() }
        } catch {
            failed(HistoryFault(error, file.path), now: now)
            // What is too much may be what is there already.
            if error.reason == .full { try? lookAfter(file, now: now) }
            return false
        }
        if doubt != nil, now.running >= checkAt { trust() }
        do throws(SQLiteError) {
            try lookAfter(file, now: now)
            worked(file.path)
        } catch {
            // What was to be written is.
            failed(HistoryFault(error, file.path), now: now)
        }
        return true
    }

    /// Somebody found the file damaged while reading.
    mutating func suspect(now: HistoryMoment, patience: Duration = Self.checkPatience) {
        guard let file, now.running >= checkAt else { return }
        checkAt = now.running + Self.checksEvery
        do throws(SQLiteError) {
            if try file.isSound(within: patience) {
                doubt(file.path, "a check finds nothing wrong with it", now: now)
            } else {
                failed(HistoryFault(.damaged, "\(file.path) is damaged"), now: now)
            }
        } catch {
            switch error.reason {
            case .damaged: failed(HistoryFault(error, file.path), now: now)
            case .busy: checkAt = now.running + Self.retryAfter
            case .interrupted: doubt(file.path, "a check takes longer than it may", now: now)
            case .full, .readOnly, .other:
                doubt(file.path, "a check cannot be made: \(error.message)", now: now)
            }
        }
        // It stays where it is.
        if let fault, fault.kind == .damaged { (doubt, doubtSince) = (fault, faultSince) }
    }

    private mutating func doubt(_ path: String, _ finding: String, now: HistoryMoment) {
        let doubt = HistoryFault.unreadable(path, finding)
        if self.doubt == nil {
            doubtSince = now.unix
            news.append(.unreadable(doubt.description))
        }
        self.doubt = doubt
        showFault()
    }

    private mutating func trust() {
        (doubt, doubtSince, checkAt) = (nil, nil, 0)
        showFault()
    }

    private mutating func showFault() {
        let since = fault == nil ? doubtSince : faultSince
        (snapshot.fault, snapshot.faultSince) = (
            (fault ?? doubt)?.description, since.map { Int($0 / 1000) }
        )
    }

    private mutating func opened(now: HistoryMoment) -> HistoryFile? {
        guard let configuration, now.running >= retryAt else { return nil }
        // Moved or removed, it would be written for nobody.
        if let file, !file.isInPlace {
            self.file = nil
            trust()
        }
        if let file { return file }
        do throws(HistoryFault) {
            let opened = try HistoryFile(path: configuration.file, maxBytes: configuration.maxBytes)
            file = opened
            return opened
        } catch {
            failed(error, now: now)
            // A damaged one has made room.
            return error.kind == .damaged && retryAt <= now.running ? self.opened(now: now) : nil
        }
    }

    private mutating func failed(_ fault: HistoryFault, now: HistoryMoment) {
        retryAt = now.running + Self.retryAfter
        // One that is full or locked is the same afterwards.
        if fault.kind != .full, fault.kind != .locked { file = nil }
        if fault.kind == .damaged, let path, moves < Self.mostMoves, let place = Self.moveAside(path) {
            moves += 1
            retryAt = now.running
            trust()
            news.append(.movedAside(path: path, to: place))
            return
        }
        let fault =
            fault.kind == .damaged
            ? HistoryFault(.damaged, "\(fault) — move it away, and a new one is begun") : fault
        if self.fault?.kind != fault.kind { news.append(.failing(fault.description)) }
        if self.fault == nil { faultSince = now.unix }
        self.fault = fault
        showFault()
    }

    private mutating func worked(_ path: String) {
        guard fault != nil else { return }
        news.append(.recovered(path: path))
        (fault, faultSince) = (nil, nil)
        showFault()
    }

    /// - Returns: where it lies now; nil where it could not be moved.
    private static func moveAside(_ path: String) -> String? {
        let place = "\(path).corrupt-\(UnixTime.now)"
        guard access(place, F_OK) != 0, rename(path, place) == 0 else { return nil }
        rename("\(path)-wal", "\(place)-wal")
        unlink("\(path)-shm")
        return place
    }

    private mutating func lookAfter(_ file: HistoryFile, now: HistoryMoment) throws(SQLiteError) {
        var steps = 0
        while try file.shrink(), steps < Self.mostSteps { steps += 1 }
        if now.running >= forgetAt, let configuration {
            let (seconds, _) = configuration.keep.components
            var isMore = true
            while isMore, steps < Self.mostSteps {
                isMore = try file.forget(before: now.unix - seconds * 1000, now: now.unix)
                steps += 1
            }
            if !isMore { forgetAt = now.running + Self.forgetsEvery }
        }
        guard now.running >= countAt else { return }
        countAt = now.running + Self.countsEvery
        (snapshot.events, snapshot.requests, snapshot.minutes) = try file.counts()
        snapshot.bytes = file.bytes
    }
}
