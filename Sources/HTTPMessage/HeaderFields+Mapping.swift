/// URLs in fields, from one side of an origin to the other.
extension HeaderFields {
    private static let ofAnswers: FieldNameSet = [.contentLocation, .location, .refresh, .setCookie]
    private static let ofRequests: FieldNameSet = [.origin, .referer]

    /// Whether an answer has a field that may speak of where the origin is.
    package var speakOfOrigin: Bool { containsAny(of: Self.ofAnswers) }

    /// Whether a request has a field that may speak of where the caller was.
    package var speakOfCallersPage: Bool { containsAny(of: Self.ofRequests) }

    /// Makes the URLs and cookies of an answer those that callers have to use.
    package mutating func makePublic(_ mapping: URLMapping) {
        replaceTexts(of: [.contentLocation, .location]) { mapping.publicURL($0[...]) }
        replaceTexts(of: [.refresh], mapping.publicRefresh)
        replaceTexts(of: [.setCookie], mapping.publicCookie)
    }

    /// Makes the URLs of a request that say where its caller was those of the origin.
    package mutating func makeOrigins(_ mapping: URLMapping) {
        replaceTexts(of: [.origin]) { mapping.originURL($0, isOrigin: true) }
        replaceTexts(of: [.referer]) { mapping.originURL($0, isOrigin: false) }
    }

    /// What is not UTF-8 stays as it is.
    private mutating func replaceTexts(of names: FieldNameSet, _ change: (String) -> String?) {
        guard containsAny(of: names) else { return }
        replaceValues(of: names) { $0.unicodeScalars.contains("\u{fffd}") ? nil : change($0) }
    }
}
