import Routing
import TestSupport
import Testing
import TunnelConfiguration

@Suite struct AddressTableTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let ranges: [String]
        let address: String
        let isIn: Bool

        var testDescription: String { "\(address) in \(ranges)" }

        init(_ ranges: [String], _ address: String, _ isIn: Bool) {
            self.ranges = ranges
            self.address = address
            self.isIn = isIn
        }
    }

    @Test(arguments: [
        Example(["192.0.2.1"], "192.0.2.1", true),
        Example(["192.0.2.1"], "192.0.2.2", false),
        Example(["192.0.2.1"], "::ffff:192.0.2.1", true),
        Example(["10.0.0.0/8"], "10.255.255.255", true),
        Example(["10.0.0.0/8"], "11.0.0.0", false),
        Example(["10.0.0.0/8", "10.1.0.0/16"], "10.200.0.1", true),
        Example(["10.1.0.0/16", "10.3.0.0/16"], "10.2.0.0", false),
        Example(["0.0.0.0/0"], "255.255.255.255", true),
        Example(["0.0.0.0/0"], "::1", false),
        Example(["::/0"], "192.0.2.1", false),
        Example(["::/0"], "ffff::ffff", true),
        Example(["2001:db8::/32"], "2001:db8:ffff::1", true),
        Example(["2001:db8::/32"], "2001:db9::", false),
        Example(["fe80::1"], "fe80::1%eth0", true),
        Example(["0.0.0.0/0", "::/0"], "unknown", false),
        Example(["0.0.0.0/0"], "10.0.0.0/8", false),
        Example([], "192.0.2.1", false),
    ])
    func anAddressIsInItsRanges(_ example: Example) {
        let table = AddressTable(example.ranges.compactMap { AddressRange($0) })
        #expect(table.contains(AddressTable.Address(example.address)) == example.isIn)
    }

    /// As many ranges as a list of a country has, against a look at each of them.
    @Test(arguments: [1, 2, 3]) func manyRangesSayTheSameAsEachOfThem(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let ranges = (0..<200).compactMap { _ in
            let address = (0..<4).map { _ in String(UInt8.random(in: 0...20, using: &random)) }
            return AddressRange(
                "\(address.joined(separator: "."))/\(Int.random(in: 6...32, using: &random))")
        }
        #expect(ranges.count == 200)
        let table = AddressTable(ranges)
        for _ in 0..<2000 {
            let address = (0..<4).map { _ in String(UInt8.random(in: 0...21, using: &random)) }
                .joined(separator: ".")
            #expect(
                table.contains(AddressTable.Address(address)) == ranges.contains { $0.contains(address) },
                "\(address), seed \(seed)")
        }
    }
}
