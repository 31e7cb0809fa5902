import TunnelClient

/// A tunnel client of the agent.
final class RunningTunnel: RunningChild {
    let client: TunnelClient
    let stop = Latch()
    let ended = Latch()

    init(_ client: TunnelClient) { self.client = client }

    /// Keeps the tunnel up; returns when it gave up, or, after `stop`, when what was in flight is finished.
    func run() async -> TunnelClient.RunEnd {
        let end = await withTaskGroup(of: TunnelClient.RunEnd.self) { group in
            group.addTask {
                defer { self.stop.open() }
                return await self.client.run()
            }
            // No task for this: there are thousands of tunnels.
            await stop.wait()
            group.cancelAll()
            return await group.next() ?? .stopped
        }
        ended.open()
        return end
    }

    func cut() { client.close() }
}
