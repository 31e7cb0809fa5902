package import NIOCore

/// How busy an event loop is, found out by asking it: that costs it nothing as long as nobody does.
package struct LoopUsage: Sendable {
    /// Processor time of its thread, in microseconds; nil where it did not answer in time.
    package let cpu: Int64?
    /// How long it took to get to the question, or how long it has not, in microseconds.
    package let delay: Int64

    private struct Answers: Sendable {
        var usages: [LoopUsage?]
    }

    /// Asks all of them, at once.
    ///
    /// - Parameter patience: how long one that has much to do, or hangs, is waited for.
    /// - Returns: one for each, in their order.
    package static func of(_ loops: [any EventLoop], patience: Duration = .milliseconds(250)) async
        -> [LoopUsage]
    {
        let answers = Monitor(Answers(usages: loops.map { _ in nil }))
        let asked = NIODeadline.now()
        for (index, loop) in loops.enumerated() {
            loop.execute {
                let usage = LoopUsage(cpu: ProcessUsage.threadCPU, delay: since(asked))
                answers.change { $0.usages[index] = usage }
            }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await answers.wait { answers -> Void? in answers.usages.contains { $0 == nil } ? nil : () }
            }
            group.addTask { try? await Task.sleep(for: patience) }
            await group.next()
            group.cancelAll()
        }
        let late = since(asked)
        return answers.read { $0.usages.map { $0 ?? LoopUsage(cpu: nil, delay: late) } }
    }

    private static func since(_ start: NIODeadline) -> Int64 {
        (NIODeadline.now() - start).nanoseconds / 1000
    }
}
