/// `client-ports`: `8000..8100,8300`, local ports in the order in which they are tried.
enum ClientPortsText {
    static func parse(_ text: String) throws(ValueFault) -> [ClosedRange<Int>] {
        var ranges: [ClosedRange<Int>] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            ranges.append(try range(item))
        }
        return ranges
    }

    static func format(_ ranges: [ClosedRange<Int>]) -> String {
        ranges.map { range in
            range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)..\(range.upperBound)"
        }.joined(separator: ",")
    }

    private static func range(_ item: Substring) throws(ValueFault) -> ClosedRange<Int> {
        let ends = item.split(separator: "..", maxSplits: 1, omittingEmptySubsequences: false)
        let first = try port(ends[0], of: item)
        guard ends.count == 2 else { return first...first }
        let last = try port(ends[1], of: item)
        guard first <= last else {
            throw ValueFault(
                "the range \(Quotation.of(trimmed(item))) is upside down",
                advice: "write \(last)..\(first)")
        }
        return first...last
    }

    private static func port(_ text: Substring, of item: Substring) throws(ValueFault) -> Int {
        let digits = trimmed(text)
        let shown = Quotation.of(trimmed(item))
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw ValueFault(
                "\(shown) is no port or range of ports", advice: "write them like 8000..8100,8300")
        }
        guard let port = Int(digits), (1...65_535).contains(port) else {
            throw ValueFault(
                "\(digits == "0" ? "port 0" : shown) is out of range",
                advice: "write ports from 1 to 65535, or leave them out for any port")
        }
        return port
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
