/// The keys of `limits`.
enum LimitKeys {
    static let limits = KeyDeclaration(
        "limits", .mapping(.limits), "What callers may have, and how slow they may be.")
    static let tokenLimits = KeyDeclaration(
        "limits", .mapping(.tokenLimits),
        "What callers of the token may have together, in place of the server's per-token.")
    static let nameLimits = KeyDeclaration(
        "limits", .mapping(.requestLimits),
        "What callers of the name may have together, in place of the server's per-name.")

    // limits
    static let enforce = ScalarKey<Bool>.boolean(
        "enforce", default: true,
        "false: who goes beyond a limit of requests or bytes is not held to it, and the log tells of it.")
    static let perAddress = KeyDeclaration(
        "per-address", .mapping(.addressLimits), "For each caller's address, of IPv6 for each /64.")
    static let perName = KeyDeclaration(
        "per-name", .mapping(.requestLimits),
        "For all callers together of each name by which requests find their token.")
    static let perToken = KeyDeclaration(
        "per-token", .mapping(.tokenLimits), "For all callers of a token together.")
    static let headTimeout = ScalarKey<Duration>.duration(
        "head-timeout", .seconds(1) ... .seconds(600), default: .seconds(10), "Time for a request's head")
    static let bodyRate = ScalarKey<Int?>.byteCount(
        "body-rate", 1...1 << 40,
        "The slowest that a request's body may come, in a second; by default any.")
    static let bodyTimeout = ScalarKey<Duration>.duration(
        "body-timeout", .seconds(1) ... .seconds(86_400), default: .seconds(30),
        "How far a request's body may lag behind body-rate")

    // per-address
    static let connections = ScalarKey<Int?>.integer(
        "connections", 1...10_000,
        "Most connections of callers at once; by default 5000. Those of trusted-proxies do not count.")

    // per-address, per-name, per-token, limits of passwords and hosts
    static let requests = ScalarKey<Int?>.integer(
        "requests", 1...1_000_000, "Most requests under way at once; by default any number.")
    static let requestsPerSecond = ScalarKey<Int?>.integer(
        "requests-per-second", 1...1_000_000, "Requests in each second; by default any number.")
    static let requestsBurst = ScalarKey<Int?>.integer(
        "requests-burst", 1...10_000_000,
        "Requests that may come at once after a pause; by default twice requests-per-second.")
    static let bytesPerSecond = ScalarKey<Int?>.byteCount(
        "bytes-per-second", 1 << 10...1 << 40,
        "Bytes of bodies in each second, in both directions together; by default any number.")
    static let bytesBurst = ScalarKey<Int?>.byteCount(
        "bytes-burst", 1 << 10...1 << 42,
        "Bytes that may go at once after a pause; by default twice bytes-per-second.")

    // per-token, limits of passwords
    static let bytesPerMonth = ScalarKey<Int?>.byteCount(
        "bytes-per-month", 1 << 20...1 << 50,
        "Bytes of bodies in each month (UTC), in both directions together; by default any number.")

    static let ofServer = [
        enforce.declaration, perAddress, perName, perToken, headTimeout.declaration, bodyRate.declaration,
        bodyTimeout.declaration,
    ]
    static let ofRequests = [
        requests.declaration, requestsPerSecond.declaration, requestsBurst.declaration,
        bytesPerSecond.declaration, bytesBurst.declaration,
    ]
    static let ofToken = ofRequests + [bytesPerMonth.declaration]
    static let ofAddress = [connections.declaration] + ofRequests
}

extension ScalarKey where Value == Int? {
    /// A number of bytes, in any unit.
    static func byteCount(_ name: String, _ range: ClosedRange<Int>, _ meaning: String) -> Self {
        Self(
            declaration: KeyDeclaration(name, .byteCount(range), meaning), defaultValue: nil,
            parse: { value throws(ValueFault) in try ValueRule.byteCount(value, range) })
    }
}

extension ValueRule {
    static func byteCount(_ value: ValueText, _ range: ClosedRange<Int>) throws(ValueFault) -> Int {
        guard let bytes = ByteCountText.parse(value.text) else {
            throw ValueFault(
                "\(Quotation.of(value.text)) is no size",
                advice: "write one like 64KiB or 10MiB; a bare number is in bytes")
        }
        guard range.contains(bytes) else {
            let bounds = [range.lowerBound, range.upperBound].map(ByteCountText.format)
            throw ValueFault(
                "\(Quotation.of(value.text)) is out of range",
                advice: "write a size from \(bounds[0]) to \(bounds[1])")
        }
        return bytes
    }
}
