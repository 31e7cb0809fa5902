import Testing
import TunnelConfiguration

/// Who an address counts as.
@Suite struct AddressGroupTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.1", "::ffff:192.0.2.1"), ("192.0.2.1", "::ffff:c000:201"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"), ("fe80::1%eth0", "fe80::2%eth1"),
        ("::1", "::2"), ("unknown", ""), ("unknown", "192.0.2.1:80"),
    ])
    func theseAreOne(_ one: String, _ other: String) {
        #expect(AddressGroup(one) == AddressGroup(other))
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1"), ("0.0.0.0", "::"),
        ("0.0.0.1", "::1"), ("192.0.2.1", "::192.0.2.1"), ("unknown", "0.0.0.0"),
    ])
    func theseAreTwo(_ one: String, _ other: String) {
        #expect(AddressGroup(one) != AddressGroup(other))
    }
}
