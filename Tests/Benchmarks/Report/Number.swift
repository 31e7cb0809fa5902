/// Numbers for people.
package enum Number {
    /// Three digits that count, and no more: `12345`, `123`, `12.3`, `1.23`, `0.012`.
    package static func short(_ value: Double) -> String {
        let size = abs(value)
        if size >= 100 || value == 0 { return String(Int(value.rounded())) }
        return decimals(value, size >= 10 ? 1 : size >= 1 ? 2 : 3, trimmed: true)
    }

    /// A whole number with commas: `10,000`.
    package static func thousands(_ value: Int) -> String {
        let digits = Array(String(abs(value)))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A fixed number of decimals.
    ///
    /// - Parameter trimmed: without zeros at its end.
    package static func decimals(_ value: Double, _ count: Int, trimmed: Bool = false) -> String {
        var scale = 1
        for _ in 0..<count { scale *= 10 }
        let scaled = Int((abs(value) * Double(scale)).rounded())
        let digits = String(scaled % scale + scale).dropFirst()
        var text = "\(scaled / scale)." + digits
        if trimmed {
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
        }
        return (value < 0 && scaled > 0 ? "-" : "") + text
    }
}
