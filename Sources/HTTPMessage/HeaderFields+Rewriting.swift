import struct NIOCore.ByteBuffer

/// What is changed in fields on the way to an origin, where it has to be.
extension HeaderFields {
    private static let certificateNameLength = "X-Client-Certificate-Name".utf8.count
    private static let forwardedPrefix: StaticString = "X-Forwarded-"

    private static let tellsOfHops: FieldNameSet = [
        .cfConnectingIP, .forwarded, .trueClientIP, .via, .xClientCertificateName, .xForwardedFor,
        .xForwardedHost,
        .xForwardedPort, .xForwardedProto, .xRealIP,
    ]

    /// Removes what tells of earlier hops (`Forwarded`, `Via`, `X-Real-IP`, `CF-Connecting-IP`, `True-Client-IP`,
    /// every `X-Forwarded-…`): anybody can write it.
    package mutating func removeForwarding() {
        let bytes = self.bytes
        // One look at the memory for all of them: most heads have none that goes.
        bytes.withUnsafeReadableBytes { memory in
            guard entries.contains(where: { Self.isForwarding($0, memory) }) else { return }
            removeEntries { Self.isForwarding($0, memory) }
        }
    }

    /// Removes what CGI and its kin take for `X-Client-Certificate-Name`, which is ours alone.
    package mutating func removeCertificateName() {
        let bytes = self.bytes
        bytes.withUnsafeReadableBytes { memory in
            let isIt = { (entry: Entry) in
                let name = UnsafeRawBufferPointer(rebasing: memory[entry.nameRange])
                guard entry.name == .other, name.count == Self.certificateNameLength,
                    name.firstByte(UInt8(ascii: "_")) != nil
                else { return entry.name == .xClientCertificateName }
                let hyphened = name.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
                return hyphened.withUnsafeBytes { FieldName($0) == .xClientCertificateName }
            }
            guard entries.contains(where: isIt) else { return }
            removeEntries { isIt($0) }
        }
    }

    @inline(__always)
    static func isForwarding(_ entry: Entry, _ memory: UnsafeRawBufferPointer) -> Bool {
        guard entry.name == .other else { return tellsOfHops.contains(entry.name) }
        return isForwarding(UnsafeRawBufferPointer(rebasing: memory[entry.nameRange]))
    }

    private static func isForwarding(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let first = name.first else { return false }
        switch first | 0x20 {
        case UInt8(ascii: "x"): break
        // Of these there are none but with `_`.
        case UInt8(ascii: "c"), UInt8(ascii: "t"): guard name.count > 13 else { return false }
        default: return false
        }
        guard name.firstByte(UInt8(ascii: "_")) != nil else { return startsForwarded(name) }
        // CGI and its kin cannot tell the two.
        let hyphened = name.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
        return hyphened.withUnsafeBytes { startsForwarded($0) || tellsOfHops.contains(FieldName($0)) }
    }

    private static func startsForwarded(_ name: UnsafeRawBufferPointer) -> Bool {
        let length = forwardedPrefix.utf8CodeUnitCount
        return name.count > length
            && forwardedPrefix.equalsIgnoringCase(UnsafeRawBufferPointer(rebasing: name[..<length]))
    }

    /// Removes fields by their names as they were written.
    mutating func removeNames(where isLeaving: (UnsafeRawBufferPointer) -> Bool) {
        let bytes = self.bytes
        removeEntries { entry in
            bytes.withUnsafeReadableBytes {
                isLeaving(UnsafeRawBufferPointer(rebasing: $0[entry.nameRange]))
            }
        }
    }

    /// Puts other values in the places of those for which `change` gives one; all else stays as it is.
    mutating func replaceValues(_ change: (UnsafeRawBufferPointer) -> [UInt8]?) {
        for index in entries.indices { replaceValue(at: index, change) }
    }

    /// The same for the fields of some names.
    package mutating func replaceValues(of names: FieldNameSet, _ change: (String) -> String?) {
        for index in entries.indices where names.contains(entries[index].name) {
            replaceValue(at: index) { bytes in
                change(String(decoding: bytes, as: UTF8.self)).map { Array($0.utf8) }
            }
        }
    }

    private mutating func replaceValue(at index: Int, _ change: (UnsafeRawBufferPointer) -> [UInt8]?) {
        let range = entries[index].valueRange
        let value = bytes.withUnsafeReadableBytes { change(UnsafeRawBufferPointer(rebasing: $0[range])) }
        if let value { setValue(at: index, value) }
    }
}
