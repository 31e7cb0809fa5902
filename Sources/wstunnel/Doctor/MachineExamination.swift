import AgentStatus
import Glibc
import HostSystem
import TunnelConfiguration

/// What the machine has for an agent.
enum MachineExamination {
    /// Less memory than this is told of.
    private static let littleMemory = 256 << 20
    /// 2025: nobody has this program and lives before it.
    private static let earliest = 1_735_689_600
    /// What an agent opens for itself.
    private static let ownDescriptors = 64
    /// With fewer a public server serves few callers.
    private static let fewDescriptors = 4096

    static func findings(for configuration: AgentConfiguration?) -> [DoctorReport.Finding] {
        [memory, clock, configuration.flatMap(descriptors)].compactMap(\.self)
    }

    private static var memory: DoctorReport.Finding? {
        let pages = sysconf(CInt(_SC_PHYS_PAGES)), size = sysconf(CInt(_SC_PAGESIZE))
        let physical = pages > 0 && size > 0 ? pages * size : nil
        guard let limit = [physical, ControlGroup.memoryLimit].compactMap(\.self).min() else { return nil }
        let isLittle = limit < littleMemory
        return DoctorReport.Finding(
            "machine", "memory", isLittle ? .warning : .ok, "\(limit >> 20) MiB may be used",
            advice: isLittle ? "give it more, or lower limits: see LIMITS.md" : nil)
    }

    /// Servers tell more of it: here only one that was never set is seen.
    private static var clock: DoctorReport.Finding? {
        let isSet = UnixTime.now > earliest
        return DoctorReport.Finding(
            "machine", "clock", isSet ? .ok : .failed, isSet ? "it is set" : "it was never set",
            advice: isSet ? nil : "set it, by NTP: certificates count for nothing until then")
    }

    /// Descriptors, against what the file may want of them.
    private static func descriptors(for configuration: AgentConfiguration) -> DoctorReport.Finding? {
        try? OpenFileLimit.raise()
        guard let limit = OpenFileLimit.current else { return nil }
        let sessions = configuration.tunnels.reduce(0) { $0 + ($1.connections ?? 2) }
        let needed = ownDescriptors + 2 * sessions
        let wanted = max(needed, configuration.servers.isEmpty ? 0 : fewDescriptors)
        let isFew = limit < wanted
        return DoctorReport.Finding(
            "machine", "descriptors", limit < needed ? .failed : isFew ? .warning : .ok,
            isFew ? "\(limit) files may be open, \(wanted) are wanted" : "\(limit) files may be open",
            advice: isFew ? "raise the limit: ulimit -n, or LimitNOFILE= of systemd" : nil)
    }
}
