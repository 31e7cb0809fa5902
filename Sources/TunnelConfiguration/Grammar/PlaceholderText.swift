/// Secrets that are none: what another program should have put something in for, and what everybody guesses first.
enum PlaceholderText {
    /// - Returns: what is wrong with a secret, without the secret; nil when it looks like one.
    static func fault(in secret: String) -> ValueFault? {
        if let form = variableForm(of: secret) {
            return ValueFault(
                "the secret looks like a variable of another program (\(form)), which nobody has put in",
                advice: "a variable of tunnels.yaml is written ${NAME}; or choose another secret")
        }
        if isEnclosed(secret, "<", ">") || isWord(secret) {
            return ValueFault(
                "the secret looks like a placeholder that everybody can guess",
                advice: "put a random one there, such as openssl rand -hex 24 prints")
        }
        return nil
    }

    /// How the variables of shells, Kubernetes, Windows, templates and autoconf are written.
    private static func variableForm(of secret: String) -> String? {
        guard secret.utf8.contains(where: { "$%@{".utf8.contains($0) }) else { return nil }
        if secret.hasPrefix("$"), isName(secret.dropFirst(), inCapitals: true) { return "$NAME" }
        if isEnclosed(secret, "$(", ")") { return "$(NAME)" }
        if secret.contains("${"), secret.contains("}") { return "${NAME}" }
        if isEnclosed(secret, "%", "%"), isName(secret.dropFirst().dropLast()) { return "%NAME%" }
        if isEnclosed(secret, "@", "@"), isName(secret.dropFirst().dropLast(), inCapitals: true) {
            return "@NAME@"
        }
        if let open = secret.firstRange(of: "{{"), secret[open.upperBound...].contains("}}") {
            return "{{ … }}"
        }
        return nil
    }

    private static func isEnclosed(_ text: String, _ start: String, _ end: String) -> Bool {
        text.utf8.count > start.utf8.count + end.utf8.count && text.hasPrefix(start) && text.hasSuffix(end)
    }

    /// A name of a variable: letters, digits and `_`, no digit first.
    private static func isName(_ text: Substring, inCapitals: Bool = false) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x5f: true
            case 0x61...0x7a: !inCapitals
            default: false
            }
        }
    }

    /// `changeme`, `CHANGE-ME-please-now`, `xxxxxxxx`, and what scripts print where there is nothing.
    private static func isWord(_ secret: String) -> Bool {
        var letters: [UInt8] = []
        // Where words begin and end in them.
        var starts: [Int] = []
        var isInWord = false
        for byte in secret.utf8 {
            let isCapital = (0x41...0x5a).contains(byte)
            let isLetter = isCapital || (0x61...0x7a).contains(byte) || byte >= 0x80
            if isLetter, !isInWord { starts.append(letters.count) }
            if isLetter { letters.append(isCapital ? byte | 0x20 : byte) }
            isInWord = isLetter
        }
        if nothings.contains(where: { letters.elementsEqual($0) }) { return true }
        starts.append(letters.count)
        // However its words are divided, but not within longer ones: "exchange-mechanics" is none.
        for (number, start) in starts.dropLast().enumerated() {
            let ends = starts[(number + 1)...].prefix(longestInWords)
            for word in placeholders where letters[start...].starts(with: word) {
                if ends.contains(start + word.count) || start == 0 && repeats(word, letters) { return true }
            }
        }
        guard let first = secret.utf8.first, secret.utf8.count >= 3 else { return false }
        return "xX*.-_?".utf8.contains(first) && secret.utf8.allSatisfy { $0 == first }
    }

    /// Whether a text that begins with a word is that over and over, as whoever needs sixteen characters writes it; the last
    /// may be cut.
    private static func repeats(_ word: [UInt8], _ text: [UInt8]) -> Bool {
        // What repeats after so many bytes is the same as what stands so many bytes before it.
        text.count > word.count && zip(text, text.dropFirst(word.count)).allSatisfy { $0 == $1 }
    }

    private static let nothings = ["null", "nil", "undefined", "todo", "fixme", "tbd"].map { Array($0.utf8) }
    private static let placeholders = [
        "changeme", "changeit", "changethis", "changemeplease", "changemenow", "pleasechangeme", "replaceme",
        "replacethis", "replacewith", "placeholder", "fillmein", "yourtoken", "yourtokenhere", "yourpassword",
        "yourpasswordhere", "yoursecret", "yoursecrethere", "mytokenhere", "insertyour", "enteryour",
    ].map { Array($0.utf8) }
    /// Words that the longest of them may be divided into.
    private static let longestInWords = 4
}
