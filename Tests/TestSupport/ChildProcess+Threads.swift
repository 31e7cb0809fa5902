import Foundation

/// ptrace(2), which Swift does not see as it takes any arguments.
private typealias Trace = @convention(c) (_ request: CInt, Int32, _ address: UInt, _ data: UInt) -> CLong

private let trace: Trace? = dlsym(nil, "ptrace").map { unsafeBitCast($0, to: Trace.self) }
private let (detach, seize, interrupt): (CInt, CInt, CInt) = (17, 0x4206, 0x4207)

extension ChildProcess {
    /// The ids of its threads whose names begin so.
    package func threads(named prefix: String) throws -> [Int32] {
        let folder = "/proc/\(processID)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().filter {
            try String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8).hasPrefix(prefix)
        }.compactMap { Int32($0) }
    }

    /// Keeps one of its threads from running for so long, while the others go on: as a processor that has better to do.
    ///
    /// - Throws: where the machine allows no ptrace(2) of a child.
    package func hold(thread: Int32, for time: Duration) throws {
        func call(_ request: CInt) throws {
            guard let trace, trace(request, thread, 0, 0) == 0 else {
                throw TestFailure("ptrace \(request) of thread \(thread): errno \(errno)")
            }
        }
        try call(seize)
        try call(interrupt)
        // The time passes because it is what is done to it.
        Thread.sleep(forTimeInterval: time.inSeconds)
        try call(detach)
    }
}
