import TunnelClient

/// A tunnel client of the agent.
final class RunningTunnel: Sendable {
    let client: TunnelClient
    /// Has it finish and end.
    let stop = StopSignal()
    /// Given once it has ended.
    let ended = StopSignal()

    init(_ client: TunnelClient) { self.client = client }

    /// Keeps the tunnel up; returns when it gave up, or, after `stop`, when what was in flight is finished.
    func run() async -> TunnelClient.RunEnd {
        let end = await withTaskGroup(of: TunnelClient.RunEnd?.self) { group in
            group.addTask { await self.client.run() }
            group.addTask {
                await self.stop.wait()
                return nil
            }
            var end = TunnelClient.RunEnd.stopped
            for await result in group {
                group.cancelAll()
                if let result { end = result }
            }
            return end
        }
        ended.give()
        return end
    }
}
