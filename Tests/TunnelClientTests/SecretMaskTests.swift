import Testing

@testable import TunnelClient

@Suite struct SecretMaskTests {
    @Test(arguments: [
        ("no: secret-password", "no: ***"), ("secret-password secret-password", "*** ***"),
        ("no: secret-pas", "no: ***"),
        ("no: secret-passwor (through the proxy a:1)", "no: *** (through the proxy a:1)"),
        ("a secret-p is no secret-password", "a secret-p is no ***"),
        ("the secret is out", "the secret is out"),
        ("pin", "***"), ("", ""),
    ])
    func secretsAndWhatIsLeftOfThemAreTakenOut(text: String, masked: String) {
        #expect(SecretMask(["secret-password", "pin", ""]).apply(to: text) == masked)
    }
}
