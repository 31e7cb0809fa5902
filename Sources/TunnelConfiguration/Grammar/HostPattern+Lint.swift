extension HostPattern {
    /// Compiles the pattern once, to find out whether it can be.
    static func parse(_ text: String) throws(ValueFault) -> HostPattern {
        guard text.utf8.count <= 1024 else {
            throw ValueFault("the pattern is longer than 1024 bytes", advice: "shorten it")
        }
        guard !text.isEmpty else {
            throw ValueFault("the pattern is empty and matches nothing", advice: "remove the key")
        }
        do {
            return try HostPattern(source: text)
        } catch {
            throw ValueFault(
                "\(Quotation.of(text)) is no regular expression: \(error)", advice: "see the README on regexp"
            )
        }
    }

    /// What the pattern probably does not mean: message and advice.
    func lint() -> [ValueFault] {
        var faults: [ValueFault] = []
        if let place = bareDot() {
            faults.append(
                ValueFault(
                    "the dot in \(Quotation.of(place)) stands for any character, so more hosts match than it seems",
                    advice: "write \\. for a dot"))
        }
        if let place = unboundedPrefix() {
            faults.append(
                ValueFault(
                    "\(Quotation.of(place)) also matches hosts that merely end so, such as evil\(place.dropFirst(2))",
                    advice: "write .*\\. before the domain"))
        }
        if startsWithoutScheme {
            faults.append(
                ValueFault(
                    "the pattern never matches: the whole X-Host value is compared, which starts with http:// or https://",
                    advice: "start it with https?://"))
        }
        return faults
    }

    /// The first dot between two letters or digits that is neither escaped nor within brackets.
    private func bareDot() -> String? {
        let characters = Array(source)
        for index in outsideBrackets where index > 0 && index + 1 < characters.count {
            guard characters[index] == ".", isHostCharacter(characters[index - 1]),
                !isEscaped(index - 1, characters), isHostCharacter(characters[index + 1])
            else { continue }
            return around(index, characters)
        }
        return nil
    }

    /// `.*` or `.+` right before a letter or digit of the host, so that no dot bounds the domain.
    private func unboundedPrefix() -> String? {
        let characters = Array(source)
        for index in outsideBrackets where index + 2 < characters.count {
            guard characters[index] == ".", "*+".contains(characters[index + 1]),
                isHostCharacter(characters[index + 2])
            else { continue }
            let domain = characters[(index + 2)...].prefix { isHostCharacter($0) || "\\.".contains($0) }
            guard domain.contains(".") else { continue }
            return String(characters[index...(index + 1)] + domain)
        }
        return nil
    }

    private var startsWithoutScheme: Bool {
        guard let first = source.drop(while: { $0 == "^" }).first else { return false }
        return isHostCharacter(first) && first != "h" && !source.contains("|")
    }

    /// The places of dots that are neither escaped nor within `[…]`.
    private var outsideBrackets: [Int] {
        var places: [Int] = []
        var isInside = false
        var isSkipped = false
        for (index, character) in source.enumerated() {
            if isSkipped {
                isSkipped = false
            } else if character == "\\" {
                isSkipped = true
            } else if character == "[" {
                isInside = true
            } else if character == "]" {
                isInside = false
            } else if character == "." && !isInside {
                places.append(index)
            }
        }
        return places
    }

    private func isEscaped(_ index: Int, _ characters: [Character]) -> Bool {
        characters[..<index].reversed().prefix { $0 == "\\" }.count % 2 == 1
    }

    private func isHostCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "-")
    }

    private func around(_ index: Int, _ characters: [Character]) -> String {
        let before = characters[..<index].reversed().prefix(while: isHostCharacter).reversed()
        let after = characters[(index + 1)...].prefix(while: isHostCharacter)
        return String(before) + "." + String(after)
    }
}
