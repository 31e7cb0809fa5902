import Testing
import X509

@Suite struct HMACTests {
    struct Example: Sendable, CustomTestStringConvertible {
        let key: [UInt8]
        let message: [UInt8]
        let digest: String
        var testDescription: String { "a key of \(key.count) bytes" }
    }

    /// RFC 4231 §4.2 to §4.4, §4.7, §4.8.
    @Test(arguments: [
        Example(
            key: Array(repeating: 0x0b, count: 20), message: Array("Hi There".utf8),
            digest: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        Example(
            key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            digest: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        Example(
            key: Array(repeating: 0xaa, count: 20), message: Array(repeating: 0xdd, count: 50),
            digest: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        Example(
            key: Array(repeating: 0xaa, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            digest: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        Example(
            key: Array(repeating: 0xaa, count: 131),
            message: Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. The key "
                    + "needs to be hashed before being used by the HMAC algorithm.").utf8),
            digest: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ])
    func vectorsAreMet(_ example: Example) {
        let digest = HMAC.sha256(example.message, key: example.key)
        #expect(
            digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == example.digest)
    }
}
