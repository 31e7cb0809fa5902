import Glibc
import NIOCore
import NIOEmbedded
import NIOPosix
import TestSupport
import Testing
import TunnelConfiguration

@testable import HostSystem

/// What is measured of a process.
@Suite struct LoadMeterTests {
    struct Group: CustomTestStringConvertible, Sendable {
        let name: String
        let groups: String
        let files: [String: String]
        let limit: Int?
        var testDescription: String { name }
    }

    @Test(arguments: [
        Group(
            name: "version 2, a unit", groups: "0::/system.slice/wstunnel.service\n",
            files: [
                "/sys/fs/cgroup/system.slice/wstunnel.service/memory.max": "1073741824\n",
                "/sys/fs/cgroup/system.slice/wstunnel.service/memory.high": "max\n",
            ], limit: 1 << 30),
        Group(
            name: "the slice above it", groups: "0::/system.slice/wstunnel.service\n",
            files: [
                "/sys/fs/cgroup/system.slice/wstunnel.service/memory.max": "max\n",
                "/sys/fs/cgroup/system.slice/memory.high": "5000000\n",
            ], limit: 5_000_000),
        Group(
            name: "version 2, a container", groups: "0::/\n",
            files: ["/sys/fs/cgroup/memory.max": "67108864\n"], limit: 64 << 20),
        Group(
            name: "version 1", groups: "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n",
            files: [
                "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "300000000\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            ], limit: 300_000_000),
        Group(
            name: "version 1, a container whose path is told as from outside", groups: "4:memory:/docker/x\n",
            files: ["/sys/fs/cgroup/memory/memory.limit_in_bytes": "400000000\n"], limit: 400_000_000),
        Group(
            name: "none", groups: "4:memory:/\n0::/user.slice\n",
            files: [
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/user.slice/memory.max": "max\n",
            ], limit: nil),
        Group(name: "nonsense", groups: "what\n0::\n\n", files: [:], limit: nil),
    ])
    func theLimitOfTheControlGroupIsTheLeastThatHolds(_ group: Group) {
        #expect(ControlGroup.memoryLimit(groups: group.groups) { group.files[$0] } == group.limit)
    }

    @Test func descriptorsAreCounted() throws {
        let held = try (0..<100).map { _ in try OwnedDescriptorBox() }
        var open = OpenDescriptors()
        let count = open.count()
        #expect(count >= 100)
        #expect(OpenDescriptors.countAll(below: 1 << 20) >= 100)
        withExtendedLifetime(held) {}
    }

    private final class OwnedDescriptorBox {
        let descriptor: OwnedDescriptor
        init() throws { descriptor = try OwnedDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)) }
    }

    @Test func whatIsOffIsNotMeasured() {
        var (meter, rules) = (LoadMeter(), LoadShedding.off)
        let none = meter.measure(rules, loopDelay: .seconds(9))
        #expect(none == [])
        rules.memory = .amount(1 << 30)
        rules.descriptors = .amount(500)
        rules.loopDelay = .milliseconds(250)
        let measures = meter.measure(rules, loopDelay: .seconds(1))
        #expect(measures.map(\.resource) == [.memory, .descriptors, .loopDelay])
        #expect(measures.map(\.limit) == [1 << 30, 500, 250])
        #expect(measures[0].used > 1 << 20 && measures[1].used > 2 && measures[2].used == 1000)
    }

    @Test func aLoopWithNothingToDoIsNotLate() {
        let loop = EmbeddedEventLoop()
        let probe = LoopDelayProbe(on: loop)
        for _ in 0..<5 {
            loop.advanceTime(by: LoopDelayProbe.interval)
            #expect(probe.take() == .zero)
        }
        probe.stop()
        loop.advanceTime(by: .seconds(5))
        loop.advanceTime(by: .seconds(5))
        #expect(probe.take() == .zero)
    }

    @Test(.timeLimit(.minutes(1))) func aLoopThatIsHeldUpIsLateWhileItIsAndOnceAfterwards() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let probe = LoopDelayProbe(on: loop)
        let gate = Gate()
        loop.execute { try? gate.wait(within: .seconds(60)) }
        try await onThread { while probe.take() < .milliseconds(300) { usleep(10_000) } }
        gate.open()
        try await loop.submit {}.get()
        #expect(probe.take() >= .milliseconds(300))
        probe.stop()
        try await group.shutdownGracefully()
    }

    @Test func manyAreDealtWithInSlices() {
        let loop = EmbeddedEventLoop()
        let done = NIOLoopBoundBox<[Int]>([], eventLoop: loop)
        loop.inSlices(Array(0..<150)) { done.value.append($0) }
        var counts: [Int] = []
        loop.run()
        counts.append(done.value.count)
        for _ in 0..<3 {
            loop.advanceTime(by: .milliseconds(1))
            loop.run()
            counts.append(done.value.count)
        }
        #expect(counts == [64, 128, 150, 150] && done.value == Array(0..<150))
    }
}
