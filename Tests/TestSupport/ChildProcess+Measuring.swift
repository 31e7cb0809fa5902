import Foundation

extension ChildProcess {
    /// The processor time it has used, in hundredths of a second (proc(5), `utime` and `stime`).
    package func processorTicks() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
        guard let end = text.lastIndex(of: ")") else { throw TestFailure("no process status: \(text)") }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            throw TestFailure("no processor times: \(text)")
        }
        return user + system
    }

    /// The share of one processor that it uses over so many seconds.
    package func processorShare(over seconds: Double) throws -> Double {
        let before = try processorTicks()
        // The time passes because it is what is measured; nothing is waited for.
        Thread.sleep(forTimeInterval: seconds)
        return Double(try processorTicks() - before) / (100 * seconds)
    }

    /// How many files it has open.
    package func openFileCount() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count
    }
}
