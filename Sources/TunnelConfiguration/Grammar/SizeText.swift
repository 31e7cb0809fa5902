/// Sizes as the file writes them: `64KiB 10MiB 1GiB`, or a bare number of bytes.
enum SizeText {
    private static let units: [(unit: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ]

    /// - Returns: bytes, or nil when the text is no size or a larger one than a number holds.
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard (1...18).contains(digits.utf8.count), let number = Int(digits) else { return nil }
        let unit = text[digits.endIndex...]
        guard !unit.isEmpty else { return number }
        guard let bytes = units.first(where: { $0.unit == unit })?.bytes else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: bytes)
        return overflow ? nil : size
    }

    /// The shortest way to write it.
    static func format(_ size: Int) -> String {
        guard size > 0, let unit = units.first(where: { size % $0.bytes == 0 }) else { return "\(size)" }
        return "\(size / unit.bytes)\(unit.unit)"
    }
}
