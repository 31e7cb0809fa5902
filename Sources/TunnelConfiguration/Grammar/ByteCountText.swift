/// Sizes as the file writes them: `64KiB 10MiB 5GB`, or a bare number of bytes.
enum ByteCountText {
    private static let units: [(unit: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000), ("kB", 1000),
    ]

    /// - Returns: the number of bytes, or nil when the text is no size or beyond what 64 bits hold.
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let rest = text.dropFirst(digits.count)
        guard !digits.isEmpty, let number = Int(digits) else { return nil }
        guard !rest.isEmpty else { return number }
        let name = rest.drop { $0 == " " }
        guard let unit = units.first(where: { $0.unit == name }) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// The shortest way to write it that loses nothing.
    static func format(_ bytes: Int) -> String {
        for (unit, size) in units.prefix(4) where bytes >= size && bytes % size == 0 {
            return "\(bytes / size)\(unit)"
        }
        return "\(bytes)"
    }
}
