/// Series of one name: what they count, in what, and by what they are told apart.
package struct MetricFamily: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// Only ever grows, until the process ends.
        case counter
        case gauge
        case histogram
        /// A sum and a count.
        case summary
        /// Always 1: its labels are what it says.
        case info
    }

    /// What the numbers are in; the name ends with it.
    package enum Unit: String, Sendable {
        case seconds, bytes
        /// 0 to 1, or beyond.
        case ratio
    }

    /// Without what its kind appends, as `_total`.
    package let name: String
    package let kind: Kind
    package let unit: Unit?
    /// The names of its labels, in the order in which their values are given.
    package let labels: [String]
    /// For people, in a sentence.
    package let help: String

    init(_ kind: Kind, _ name: String, in unit: Unit? = nil, by labels: [String] = [], _ help: String) {
        self.name = unit.map { "\(name)_\($0.rawValue)" } ?? name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
    }

    /// The names of its series, as queries write them.
    package var seriesNames: [String] {
        switch kind {
        case .counter: ["\(name)_total"]
        case .gauge: [name]
        case .histogram: ["\(name)_bucket", "\(name)_sum", "\(name)_count"]
        case .summary: ["\(name)_sum", "\(name)_count"]
        case .info: ["\(name)_info"]
        }
    }
}

/// Every family that `/metrics` has. Series come in this order.
package enum MetricCatalogue {
    package static let all = agent + process + records + servers + tunnels

    /// What the values of each label are.
    package static let labels: KeyValuePairs<String, String> = [
        "server":
            "name of a tunnel server, as in the configuration; none where a certificate is the admin listener's",
        "tunnel": "name of a tunnel of this agent, as in the configuration",
        "webhook": "name of a webhook, as in the configuration",
        "code": "status of the answer, `100` to `599`; `none` where its caller got none",
        "class": "first digit of the status: `1xx` to `5xx`; `none` where there was none",
        "outcome":
            "of a request: what became of it, as in the [access log](LOGS.md); of a reload: `applied`, `unchanged`, `refused`",
        "part":
            "`queue`: until a session took the request; `tunnel`: on the way and back; `origin`: from when the client had the request until it had the head of the origin's answer",
        "reason": "a code of the [log](LOGS.md); `error.code` there",
        "limit": "name of a limit, as in the configuration: `per-address.requests-per-second`",
        "state": "of a connection: `busy`, `idle`",
        "kind": "of what is paused: `server`, which a port of its own counts as, `tunnel`",
        "phase": "of the agent: `starting`, `running`, `reloading`, `stopping`",
        "resource": "`memory`, `descriptors`, `loop-delay`",
        "use":
            "`tls`: shown at the listener, or by which clients' are checked; `inner-tls`: shown inside tunnels; `admin`: as `tls`, of the admin listener",
        "sink": "`log`, `syslog`",
        "loop": "number of an event loop, from 0: one for each core",
        "version": "of this program",
    ]
}
