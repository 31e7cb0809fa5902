import struct NIOCore.ByteBuffer

/// What each side tells of itself in its first frame. Unknown entries are skipped.
package struct SessionSettings: Sendable, Hashable {
    package var version: ProtocolVersion
    /// Streams that this side takes at once; the opener keeps within them.
    package var maximumStreams: Int
    /// Bytes of request body that the client takes on each new stream before it grants more.
    package var initialWindow: Int
    /// Program and version, for people who look at the status of a session.
    package var software: String
    /// The tunnel's configured name; only for people.
    package var tunnelName: String
    /// Host names that the client asks for, whole or a label below the server's domain.
    package var hosts: [String]
    /// What this side knows beyond what every peer of the version does.
    package var features: SessionFeatures

    package init(
        version: ProtocolVersion = .v2, maximumStreams: Int, initialWindow: Int,
        software: String, tunnelName: String = "", hosts: [String] = [], features: SessionFeatures = []
    ) {
        self.version = version
        self.maximumStreams = maximumStreams
        self.initialWindow = initialWindow
        self.software = software
        self.tunnelName = tunnelName
        self.hosts = hosts
        self.features = features
    }

    private enum Key: UInt16 {
        case version = 1
        case maximumStreams = 2
        case initialWindow = 3
        case software = 4
        case tunnelName = 5
        case hosts = 6
        case features = 7
    }

    /// Longest text that is read or written, in bytes; of hosts, that of them all.
    private static let longestText = 256
    private static let longestHosts = 16 << 10

    var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        for (key, number) in [
            (Key.version, version.rawValue), (.maximumStreams, maximumStreams),
            (.initialWindow, initialWindow),
        ] {
            buffer.writeMultipleIntegers(key.rawValue, UInt16(4), UInt32(clamping: number))
        }
        for (key, text) in [(Key.software, software), (.tunnelName, tunnelName)] {
            let bytes = text.utf8.prefix(Self.longestText)
            buffer.writeMultipleIntegers(key.rawValue, UInt16(bytes.count))
            buffer.writeBytes(bytes)
        }
        if !hosts.isEmpty {
            let bytes = hosts.joined(separator: " ").utf8.prefix(Self.longestHosts)
            buffer.writeMultipleIntegers(Key.hosts.rawValue, UInt16(bytes.count))
            buffer.writeBytes(bytes)
        }
        if !features.isEmpty {
            buffer.writeMultipleIntegers(Key.features.rawValue, UInt16(4), features.rawValue)
        }
        return buffer
    }

    init(decoding payload: inout ByteBuffer) throws(MuxError) {
        self.init(maximumStreams: 0, initialWindow: 0, software: "")
        var spoken: ProtocolVersion?
        while payload.readableBytes > 0 {
            guard let (rawKey, length) = payload.readMultipleIntegers(as: (UInt16, UInt16).self),
                let value = payload.readSlice(length: Int(length))
            else { throw .malformedFrame }
            let number = value.getInteger(at: value.readerIndex, as: UInt32.self).map(Int.init)
            let text = String(decoding: value.readableBytesView.prefix(Self.longestText), as: UTF8.self)
            switch Key(rawValue: rawKey) {
            case .version: spoken = number.flatMap { ProtocolVersion(rawValue: $0) }
            case .maximumStreams: maximumStreams = number ?? 0
            case .initialWindow: initialWindow = number ?? 0
            case .software: software = text
            case .tunnelName: tunnelName = text
            case .hosts:
                let text = String(decoding: value.readableBytesView.prefix(Self.longestHosts), as: UTF8.self)
                hosts = text.split(separator: " ").map(String.init)
            case .features: features = SessionFeatures(rawValue: UInt32(truncatingIfNeeded: number ?? 0))
            case nil: break
            }
        }
        guard spoken == .v2 else { throw .unsupportedVersion }
    }
}

/// What one end of a session knows that not every peer of its version does: bits, of which unknown ones say nothing.
package struct SessionFeatures: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Takes streams that are connections of plain TCP (`RawStream`).
    package static let rawStreams = Self(rawValue: 1)
    /// Gives out host names, or says why it does not.
    package static let hostNames = Self(rawValue: 2)
    /// Takes how long origins took, with the heads of their answers.
    package static let originTimes = Self(rawValue: 4)
}
