import HTTPMessage
package import TunnelProtocol
import X509

/// A calendar month of UTC.
package struct UsageMonth: Hashable, Sendable, CustomStringConvertible {
    private static let secondsPerDay = 86_400

    private let year: Int
    /// 1 to 12.
    private let month: Int

    /// - Parameter unixTime: a moment of it, in seconds since 1970.
    package init(unixTime: Int) {
        let days = unixTime / Self.secondsPerDay - (unixTime % Self.secondsPerDay < 0 ? 1 : 0)
        let date = CivilDate(daysSince1970: days)
        (year, month) = (date.year, date.month)
    }

    /// When the next one begins, in seconds since 1970.
    package var end: Int {
        let next = CivilDate(
            year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
        return next.daysSince1970 * Self.secondsPerDay
    }

    /// Such as `2026-11`.
    package var description: String { "\(year)-\(month < 10 ? "0" : "")\(month)" }
}

/// Whose bytes are counted: a token at a server. Its text does not tell the token.
package struct UsageAccount: Hashable, Sendable {
    package let server: String
    /// 32 hexadecimal digits that follow from the token. It has 16 characters or more, so nobody finds it by them.
    package let digest: String

    package init(server: String, _ token: RendezvousToken) {
        self.server = server
        digest = SHA256.hash(Array(token.secret.utf8)).prefix(16).map(\.hexadecimalText).joined()
    }

    package init(server: String, digest: String) {
        self.server = server
        self.digest = digest
    }
}

/// The bytes that tokens have had in a month: what the file holds that several agents may write, one after the other.
package struct MonthlyUsage: Hashable, Sendable {
    /// Most accounts that are kept: when there are more, those that have had least are forgotten.
    package static var mostAccounts: Int { 65_536 }

    /// As `UsageMonth` writes it.
    package private(set) var month: String
    package private(set) var bytes: [UsageAccount: UInt64]

    package init(month: String, bytes: [UsageAccount: UInt64] = [:]) {
        self.month = month
        self.bytes = bytes
    }

    /// Forgets what is of an earlier month.
    package mutating func begin(_ month: UsageMonth) {
        if self.month < month.description { self = MonthlyUsage(month: month.description) }
    }

    /// Counts what came since.
    ///
    /// - Parameter month: of which it is; when that is a later one than before, everybody begins anew. An earlier one is the
    ///   mistake of a clock.
    package mutating func add(_ news: [UsageAccount: UInt64], in month: UsageMonth) {
        begin(month)
        for (account, count) in news {
            let (sum, isTooMuch) = bytes[account, default: 0].addingReportingOverflow(count)
            bytes[account] = isTooMuch ? .max : sum
        }
        guard bytes.count > Self.mostAccounts else { return }
        let most = bytes.sorted { ($0.value, $0.key.digest) > ($1.value, $1.key.digest) }
        bytes = Dictionary(
            uniqueKeysWithValues: most.prefix(Self.mostAccounts / 2).map { ($0.key, $0.value) })
    }
}
