import struct NIOCore.ByteBuffer

/// Version 2: sixteen bytes, two addresses, and then whatever else the proxy has to say (TLVs).
enum ProxyHeaderBlock {
    /// What it begins with.
    static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]

    /// The bytes in front of the addresses.
    private static let fixed = 16
    private static let versionTwo: UInt8 = 0x2
    /// Of the families and transports that there are (§2.2).
    private enum Kind {
        static let tcpOverIPv4: UInt8 = 0x11
        static let tcpOverIPv6: UInt8 = 0x21
    }
    private static let checksumType: UInt8 = 0x03

    /// - Parameter bytes: begins with the signature.
    static func read(_ bytes: ByteBuffer) throws(ProxyHeaderError) -> ProxyHeader.Reading {
        let start = bytes.readerIndex
        guard let versionAndCommand: UInt8 = bytes.getInteger(at: start + 12) else { return .incomplete }
        guard versionAndCommand >> 4 == versionTwo else {
            throw ProxyHeaderError("its version is \(versionAndCommand >> 4), not 2")
        }
        let command = versionAndCommand & 0xf
        guard command <= 1 else {
            throw ProxyHeaderError("its command is \(command), neither LOCAL nor PROXY")
        }
        guard let kind: UInt8 = bytes.getInteger(at: start + 13),
            let announced: UInt16 = bytes.getInteger(at: start + 14)
        else { return .incomplete }
        let length = fixed + Int(announced)
        guard length <= ProxyHeader.longest else {
            throw ProxyHeaderError("it is \(length) bytes long: \(ProxyHeader.longest) at most")
        }
        // A proxy's own connection: nothing of the rest counts.
        let isLocal = command == 0
        let sizes = isLocal ? (address: 0, all: 0) : try sizes(of: kind)
        guard length >= fixed + sizes.all else { throw ProxyHeaderError("it is too short for its addresses") }
        guard let whole = bytes.getSlice(at: start, length: length) else { return .incomplete }
        if isLocal { return .whole(ProxyHeader(ends: nil), length: length) }
        try check(whole, from: fixed + sizes.all)
        guard sizes.address > 0 else { return .whole(ProxyHeader(ends: nil), length: length) }
        return .whole(ProxyHeader(ends: ends(in: whole, sizes.address)), length: length)
    }

    /// How long an address is that we can take, and how much room all of them take.
    private static func sizes(of kind: UInt8) throws(ProxyHeaderError) -> (address: Int, all: Int) {
        switch (kind, kind >> 4, kind & 0xf) {
        case (Kind.tcpOverIPv4, _, _): return (4, 12)
        case (Kind.tcpOverIPv6, _, _): return (16, 36)
        // Somebody who has no IP address, or not over TCP.
        case (_, 0, 0...2): return (0, 0)
        case (_, 1, 0...2): return (0, 12)
        case (_, 2, 0...2): return (0, 36)
        case (_, 3, 0...2): return (0, 216)
        default:
            let shown = String(kind, radix: 16)
            throw ProxyHeaderError("its family and transport are unknown: 0x\(shown)")
        }
    }

    private static func ends(in whole: ByteBuffer, _ size: Int) -> ProxyHeader.Ends? {
        var rest = whole
        rest.moveReaderIndex(forwardBy: fixed)
        guard let source = rest.readBytes(length: size), let target = rest.readBytes(length: size),
            let sourcePort: UInt16 = rest.readInteger(), let targetPort: UInt16 = rest.readInteger(),
            let from = ProxyEndpoint(address: source, port: sourcePort),
            let to = ProxyEndpoint(address: target, port: targetPort)
        else { return nil }
        return ProxyHeader.Ends(source: from, destination: to)
    }

    /// Walks through what stands behind the addresses. Nothing there is of use but a checksum of the whole.
    private static func check(_ whole: ByteBuffer, from offset: Int) throws(ProxyHeaderError) {
        var rest = whole
        rest.moveReaderIndex(forwardBy: offset)
        while rest.readableBytes > 0 {
            guard let type: UInt8 = rest.readInteger(), let length: UInt16 = rest.readInteger(),
                rest.readableBytes >= Int(length)
            else { throw ProxyHeaderError("what stands behind its addresses is cut off") }
            let place = rest.readerIndex
            rest.moveReaderIndex(forwardBy: Int(length))
            guard type == checksumType else { continue }
            guard length == 4, let checksum: UInt32 = whole.getInteger(at: place) else {
                throw ProxyHeaderError("its checksum is not 4 bytes long")
            }
            var blank = whole
            blank.setInteger(UInt32(0), at: place)
            guard CRC32C.checksum(of: blank.readableBytesView) == checksum else {
                throw ProxyHeaderError("its checksum does not fit")
            }
        }
    }

    static func encoded(_ header: ProxyHeader) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: signature)
        guard let ends = header.ends else {
            // LOCAL, of no family.
            bytes.writeInteger(UInt32(0x2000_0000))
            return bytes
        }
        let isIPv4 = ends.source.isIPv4 && ends.destination.isIPv4
        bytes.writeInteger(versionTwo << 4 | 1)
        bytes.writeInteger(isIPv4 ? Kind.tcpOverIPv4 : Kind.tcpOverIPv6)
        bytes.writeInteger(UInt16(isIPv4 ? 12 : 36))
        for end in [ends.source, ends.destination] { bytes.writeBytes(isIPv4 ? end.address : end.asIPv6) }
        for end in [ends.source, ends.destination] { bytes.writeInteger(end.port) }
        return bytes
    }
}

/// The checksum of RFC 9260, appendix A (Castagnoli).
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82f6_3b78 }
    }

    static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
    }
}
