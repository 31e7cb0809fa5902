import Reconciliation
import Testing
import TunnelConfiguration

/// `required` of tunnels: which of them have to be up.
@Suite struct TunnelReadinessTests {
    struct Row: CustomTestStringConvertible, Sendable {
        /// The tunnels by their names, and what `required` says of them.
        var tunnels: KeyValuePairs<String, Bool?>
        var up: Set<String> = []
        var paused: Set<String> = []
        var fault: String?
        var testDescription: String { "\(tunnels) up: \(up.sorted()) paused: \(paused.sorted())" }
    }

    @Test(arguments: [
        // Where none says anything, one is enough.
        Row(tunnels: [:]),
        Row(tunnels: ["a": nil], fault: "no tunnel is up"),
        Row(tunnels: ["a": nil, "b": nil], up: ["b"]),
        Row(tunnels: ["a": nil, "b": nil], up: ["b"], paused: ["b"], fault: "no tunnel is up"),
        Row(tunnels: ["a": nil], paused: ["a"]),
        // Those that are not required do not count.
        Row(tunnels: ["a": false, "b": false]),
        Row(tunnels: ["a": false, "b": nil], up: ["a"], fault: "no tunnel is up"),
        Row(tunnels: ["a": false, "b": nil], up: ["b"]),
        // Of those that are, all have to be.
        Row(
            tunnels: ["a": true, "b": true, "c": nil], up: ["a", "c"], fault: "1 of 2 required tunnels down"),
        Row(tunnels: ["a": true, "b": true], fault: "2 of 2 required tunnels down"),
        Row(tunnels: ["a": true, "b": true, "c": nil, "d": false], up: ["a", "b"]),
        Row(tunnels: ["a": true, "b": true], up: ["a"], paused: ["b"]),
        Row(tunnels: ["a": true, "b": nil], paused: ["a"]),
    ]) func tunnelsHaveToBeUpAsTheySay(_ row: Row) {
        let tunnels = row.tunnels.map { name, isRequired in
            var tunnel = Examples.tunnel(name)
            tunnel.isRequired = isRequired
            return tunnel
        }
        let fault = TunnelReadiness.fault(tunnels, isPaused: row.paused.contains, isUp: row.up.contains)
        #expect(fault == row.fault)
    }
}
