import Foundation

/// What one run of curl gave.
package struct CurlResult: Sendable {
    /// 0, or curl's number for what went wrong (7 refused, 18 cut short, 28 too slow, 52 no answer, …).
    package let exitCode: Int32
    package let standardOutput: [UInt8]
    package let standardError: String
    /// What curl measured, by the names of `--write-out` (`http_code`, `size_download`, `time_total`, …).
    package let values: [String: String]

    /// The body as text, when it went to standard output.
    package var text: String { String(decoding: standardOutput, as: UTF8.self) }
    /// The response's status; 0 when there was none.
    package var status: Int { values["http_code"].flatMap { Int($0) } ?? 0 }
}

/// Runs curl, without its progress bar and past any proxy, for a minute at most.
package func curl(_ arguments: String..., within limit: Duration = .seconds(60)) throws -> CurlResult {
    try curl(arguments, within: limit)
}

/// Runs curl, without its progress bar and past any proxy.
package func curl(_ arguments: [String], within limit: Duration = .seconds(60)) throws -> CurlResult {
    let mark = "@measured@"
    let fixed = [
        "curl", "-q", "-sS", "--noproxy", "*", "--max-time", String(limit.inSeconds),
        "-w", "%{stderr}\(mark)%{json}",
    ]
    let child = try ChildProcess(fixed + arguments)
    let exit = try child.waitForExit(within: limit + .seconds(10))
    guard case .code(let code) = exit else { throw TestFailure("curl ended by \(exit)") }
    let parts = child.standardError.text.components(separatedBy: mark)
    let measured = try parts.count < 2 ? [:] : JSONSerialization.jsonObject(with: Data(parts[1].utf8))
    return CurlResult(
        exitCode: code, standardOutput: child.standardOutput.bytes, standardError: parts[0],
        values: (measured as? [String: Any] ?? [:]).mapValues { "\($0)" })
}
