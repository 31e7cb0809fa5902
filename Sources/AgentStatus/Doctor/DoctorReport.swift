/// What `wstunnel doctor` has found. Holds no secret.
///
/// Property names are those of the JSON.
package struct DoctorReport: Codable, Hashable, Sendable {
    package enum Verdict: String, Codable, Hashable, Sendable, CaseIterable {
        case ok, warning, failed
    }

    /// One thing that was looked at.
    package struct Finding: Codable, Hashable, Sendable {
        /// Such as `tunnel web`.
        package var subject: String
        /// What of it, such as `name`.
        package var step: String
        package var verdict: Verdict
        /// What was seen.
        package var words: String
        /// What to do; nil where nothing is.
        package var advice: String?
        /// How long it took; nil where that says nothing.
        package var milliseconds: Double?

        package init(
            _ subject: String, _ step: String, _ verdict: Verdict, _ words: String, advice: String? = nil,
            milliseconds: Double? = nil
        ) {
            self.subject = subject
            self.step = step
            self.verdict = verdict
            self.words = words
            self.advice = advice
            self.milliseconds = milliseconds
        }
    }

    package var software: String
    /// Seconds since 1970.
    package var at: Int
    package var findings: [Finding]

    package init(software: String, at: Int, findings: [Finding]) {
        self.software = software
        self.at = at
        self.findings = findings
    }

    /// Whether nothing failed.
    package var isWell: Bool { !findings.contains { $0.verdict == .failed } }
}
