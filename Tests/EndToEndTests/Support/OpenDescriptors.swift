import Foundation

/// How many descriptors a process has open.
func openDescriptors(of processID: Int32) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count
}
