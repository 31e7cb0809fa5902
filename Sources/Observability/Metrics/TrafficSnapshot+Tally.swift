package import AgentStatus

extension TrafficSnapshot {
    package static func += (traffic: inout TrafficSnapshot, tally: RequestTally) {
        traffic.requests += tally.began
        traffic.requestBytes += tally.requestBytes
        traffic.responseBytes += tally.responseBytes
    }

    package static func += (traffic: inout TrafficSnapshot, tally: TunnelTally) {
        traffic.requests += tally.began
        traffic.requestBytes += tally.requestBytes
        traffic.responseBytes += tally.responseBytes
    }
}
