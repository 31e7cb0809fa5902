/// What kind of key a certificate has, for people.
enum PublicKeyDescription {
    private static let rsa: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]
    private static let ellipticCurve: [UInt8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]

    /// RFC 5480 §2.1.1.1, SEC 2.
    private static let curves: [[UInt8]: String] = [
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]: "P-256", [0x2b, 0x81, 0x04, 0, 34]: "P-384",
        [0x2b, 0x81, 0x04, 0, 35]: "P-521", [0x2b, 0x81, 0x04, 0, 33]: "P-224",
        [0x2b, 0x81, 0x04, 0, 10]: "secp256k1",
    ]

    /// - Parameter info: the SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    static func text(of info: DERElement) -> String { (try? describe(info)) ?? "unknown" }

    private static func describe(_ info: DERElement) throws(X509Error) -> String {
        let part: StaticString = "the public key"
        var fields = DERReader(info.content)
        var algorithm = DERReader(try fields.read(DERTag.sequence, part).content)
        let type = Array(try algorithm.read(DERTag.objectIdentifier, part).content.prefix(64))
        switch type {
        case rsa:
            let key = try? fields.read(DERTag.bitString, part)
            return key.flatMap { modulusBits($0.content) }.map { "RSA \($0)" } ?? "RSA"
        case ellipticCurve:
            guard let curve = try? algorithm.read(DERTag.objectIdentifier, part).content else { return "EC" }
            let name = curve.count <= 16 ? curves[Array(curve)] : nil
            return (name ?? OID.text(curve)).map { "EC \($0)" } ?? "EC"
        // RFC 8410 §3.
        case [0x2b, 0x65, 112]: return "Ed25519"
        case [0x2b, 0x65, 113]: return "Ed448"
        default: return OID.text(type[...]) ?? "unknown"
        }
    }

    /// RSAPublicKey (RFC 8017 §A.1.1), behind the byte that counts the bit string's unused bits.
    private static func modulusBits(_ key: ArraySlice<UInt8>) -> Int? {
        var reader = DERReader(key.dropFirst())
        guard let sequence = try? reader.read(DERTag.sequence, "the public key") else { return nil }
        var fields = DERReader(sequence.content)
        guard let modulus = try? fields.read(DERTag.integer, "the public key") else { return nil }
        let digits = modulus.content.drop { $0 == 0 }
        return digits.first.map { digits.count * 8 - $0.leadingZeroBitCount }
    }
}
