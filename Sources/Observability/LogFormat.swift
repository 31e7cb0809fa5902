/// How a log line looks.
///
/// | format | for | a line |
/// |---|---|---|
/// | `text` | people | `2026-01-31T12:00:00.000Z INFO  agent: Listening server.name=public` |
/// | `logfmt` | files, journals, grep | `time=… level=info logger=agent message="Listening" server.name=public` |
/// | `json` | log stores | `{"time":"…","level":"info","logger":"agent","message":"Listening","server.name":"public"}` |
package enum LogFormat: String, Sendable, Hashable, CaseIterable {
    case text
    case logfmt
    case json

    /// What `format: auto` means: text where a person reads along, else logfmt.
    package static func automatic(isTerminal: Bool) -> LogFormat { isTerminal ? .text : .logfmt }
}

extension LogFormat {
    /// A number for it, to be kept in an atomic.
    var code: UInt8 {
        switch self {
        case .text: 0
        case .logfmt: 1
        case .json: 2
        }
    }

    /// The format of a `code`.
    init(code: UInt8) {
        switch code {
        case 0: self = .text
        case 1: self = .logfmt
        default: self = .json
        }
    }
}
