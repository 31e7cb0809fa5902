import TunnelProtocol
import YAMLDocument

extension MappingReader {
    /// The IP addresses and ranges of a list; what is none is recorded.
    func addressRanges(_ key: KeyDeclaration) -> [AddressRange] {
        items(key).compactMap { item in
            text(of: item).flatMap { addressRange($0.text, at: item.place, item.path) }
        }
    }

    /// Records an empty list: whether it lets everybody in or nobody, nobody knows.
    func refuseEmptyList(_ key: KeyDeclaration, advice: String) {
        guard let list = field(key), list.node.sequence?.isEmpty == true else { return }
        pass.error(at: list.place, list.path, "the list is empty", advice: advice)
    }

    /// - Returns: nil for what is no IP address or range of them; that is recorded.
    func addressRange(_ text: String, at place: SourcePlace, _ path: String) -> AddressRange? {
        let range = AddressRange(text)
        if range == nil {
            pass.error(
                at: place, path, "\(Quotation.of(text)) is no IP address or range of them",
                advice: "write one like 127.0.0.1, 10.0.0.0/8 or 2001:db8::/32")
        }
        return range
    }
}
