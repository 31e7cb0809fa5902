/// Takes secrets out of what others said: a server or a proxy may repeat what it was told.
struct SecretMask {
    /// The shortest beginning of a secret that is taken for one: what is quoted may be cut in the middle.
    private static let shortestBeginning = 9

    private let secrets: [String]

    init(_ secrets: [String]) { self.secrets = secrets.filter { !$0.isEmpty } }

    /// The text with `***` for every secret, and for what is left of one that was cut.
    func apply(to text: String) -> String {
        secrets.reduce(text) { text, secret in
            let lengths = stride(from: secret.count, through: Self.shortestBeginning, by: -1)
            let whole = text.replacing(secret, with: "***")
            guard let cut = lengths.map({ secret.prefix($0) }).first(where: { whole.contains($0) }) else {
                return whole
            }
            return whole.replacing(cut, with: "***")
        }
    }
}
