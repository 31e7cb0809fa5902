/// What somebody types.
package enum TopKey: Hashable, Sendable {
    case up, down, pageUp, pageDown, home, end
    case enter, escape, backspace
    /// Ctrl-C, or the end of the input.
    case interrupt
    /// Ctrl-Z.
    case suspend
    case character(Character)
}

/// Takes keys off what a terminal sends.
package struct TopKeyReader: Sendable {
    /// Longest sequence that is waited for.
    private static let longest = 16
    private static let escape: UInt8 = 0x1b

    private var rest: [UInt8] = []

    package init() {}

    /// - Parameter isQuiet: whether nothing has come for a while, so that what was begun is all there is.
    package mutating func read(_ bytes: [UInt8], isQuiet: Bool = false) -> [TopKey] {
        rest += bytes
        var keys: [TopKey] = []
        while let first = rest.first {
            if first == Self.escape {
                guard let (key, length) = sequence(isQuiet: isQuiet) else { return keys }
                if let key { keys.append(key) }
                rest.removeFirst(length)
            } else {
                guard let (key, length) = plain(first, isQuiet: isQuiet) else { return keys }
                if let key { keys.append(key) }
                rest.removeFirst(length)
            }
        }
        return keys
    }

    private func plain(_ first: UInt8, isQuiet: Bool) -> (TopKey?, Int)? {
        switch first {
        case 0x03: return (.interrupt, 1)
        case 0x1a: return (.suspend, 1)
        case 0x0d, 0x0a: return (.enter, 1)
        case 0x08, 0x7f: return (.backspace, 1)
        case 0..<0x20: return (nil, 1)
        case 0x20..<0x7f: return (.character(Character(Unicode.Scalar(first))), 1)
        default:
            let length = first >= 0xf8 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
            guard rest.count >= length else { return isQuiet ? (nil, rest.count) : nil }
            let text = String(validating: rest.prefix(length), as: UTF8.self)
            return (text?.undeceiving.first.map { .character($0) }, text == nil ? 1 : length)
        }
    }

    /// `ESC [ … letter`, `ESC [ number ~` and `ESC O letter` (ECMA-48 §5.4).
    private func sequence(isQuiet: Bool) -> (TopKey?, Int)? {
        guard rest.count > 1 else { return isQuiet ? (.escape, 1) : nil }
        guard rest[1] == UInt8(ascii: "[") || rest[1] == UInt8(ascii: "O") else { return (.escape, 1) }
        guard let end = rest.dropFirst(2).firstIndex(where: { (0x40...0x7e).contains($0) }) else {
            return rest.count > Self.longest || isQuiet ? (nil, rest.count) : nil
        }
        let number = String(decoding: rest[2..<end], as: UTF8.self)
        let key: TopKey? =
            switch (Character(Unicode.Scalar(rest[end])), number) {
            case ("A", _): .up
            case ("B", _): .down
            case ("H", _), ("~", "1"), ("~", "7"): .home
            case ("F", _), ("~", "4"), ("~", "8"): .end
            case ("~", "5"): .pageUp
            case ("~", "6"): .pageDown
            default: nil
            }
        return (key, end + 1)
    }
}
