extension ListenAddress {
    /// Reads `host:port`, IPv6 in brackets.
    static func parse(_ text: String) throws(ValueFault) -> ListenAddress {
        let shown = Quotation.of(text)
        let example = "127.0.0.1:9400"
        var host: Substring
        let port: Substring
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard host.contains(":"), rest.isEmpty || rest.hasPrefix(":") else {
                throw ValueFault("\(shown) is no address and port", advice: "write one like [::1]:9400")
            }
            port = rest.dropFirst()
        } else {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else {
                throw ValueFault(
                    "\(shown) is no address and port",
                    advice: "put an IPv6 address in brackets: [::1]:9400")
            }
            host = parts[0]
            port = parts.count == 2 ? parts[1] : ""
        }
        if host.isEmpty || text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            let number = host.isEmpty ? port : host
            throw ValueFault(
                "\(shown) names no address", advice: "write 127.0.0.1:\(number.isEmpty ? "9400" : number)")
        }
        guard !port.isEmpty else {
            throw ValueFault("\(shown) names no port", advice: "write one like \(example)")
        }
        guard URLText.isHost(host) else {
            throw ValueFault("\(shown) is no address and port", advice: "write one like \(example)")
        }
        guard let number = IPAddressText.decimal(port, upTo: 65_535) else {
            throw ValueFault("\(shown) has an invalid port", advice: "write a number from 0 to 65535")
        }
        return ListenAddress(host: String(host), port: number)
    }
}
