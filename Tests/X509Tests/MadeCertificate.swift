import X509

/// Certificates by the byte, for what openssl does not make. Their signatures are empty: nobody looks at them.
struct MadeCertificate {
    var issuer = name("Issuer")
    var subject = name("Subject")
    var validity = time("260101000000Z") + time("270101000000Z")
    var key = element(0x30, element(0x30, element(0x06, [0x2b, 0x65, 112])) + element(0x03, [0, 1, 2, 3]))
    /// Each as content of the list.
    var extensions: [[UInt8]] = []

    var der: [UInt8] {
        let algorithm = Self.element(0x30, Self.element(0x06, [0x2b, 0x65, 112]))
        let fields = [
            Self.element(0xa0, Self.element(0x02, [2])), Self.element(0x02, [1]), algorithm, issuer,
            Self.element(0x30, validity), subject, key,
            extensions.isEmpty ? [] : Self.element(0xa3, Self.element(0x30, extensions.flatMap { $0 })),
        ]
        return Self.element(
            0x30, Self.element(0x30, fields.flatMap { $0 }) + algorithm + Self.element(0x03, [0]))
    }

    func certificate() throws -> X509Certificate { try X509Certificate(der: der) }

    /// - Parameter names: elements of the SAN.
    static func alternativeNames(_ names: [UInt8]...) -> [UInt8] {
        element(
            0x30, element(0x06, [0x55, 0x1d, 17]) + element(0x04, element(0x30, names.flatMap { $0 })))
    }

    static func dnsName(_ name: String) -> [UInt8] { element(0x82, Array(name.utf8)) }

    static func basicConstraints(_ content: [UInt8] = element(0x01, [0xff])) -> [UInt8] {
        element(
            0x30,
            element(0x06, [0x55, 0x1d, 19]) + element(0x01, [0xff]) + element(0x04, element(0x30, content)))
    }

    /// A name with one CN.
    static func name(_ commonName: String) -> [UInt8] { element(0x30, part(commonName)) }

    /// A part of a name: CN as UTF8String unless told otherwise.
    static func part(_ text: String, type: [UInt8] = [0x55, 4, 3]) -> [UInt8] {
        part(element(0x0c, Array(text.utf8)), type: type)
    }

    static func part(_ value: [UInt8], type: [UInt8] = [0x55, 4, 3]) -> [UInt8] {
        element(0x31, element(0x30, element(0x06, type) + value))
    }

    static func time(_ text: String) -> [UInt8] {
        element(text.utf8.count > 13 ? 0x18 : 0x17, Array(text.utf8))
    }

    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        switch content.count {
        case ..<0x80: [tag, UInt8(content.count)] + content
        case ..<0x100: [tag, 0x81, UInt8(content.count)] + content
        case ..<0x1_0000: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
        default:
            [tag, 0x83] + [16, 8, 0].map { UInt8(truncatingIfNeeded: content.count >> $0) } + content
        }
    }
}

/// The one certificate of a PEM text.
func certificate(_ pem: String) throws -> X509Certificate {
    try X509Certificate(der: try PEM.blocks(in: pem.utf8)[0].bytes)
}
