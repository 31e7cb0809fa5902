import struct NIOCore.ByteBuffer

/// What `traceparent` says of a request (W3C Trace Context, level 2, §3.2): which trace it belongs to, and which span sent it.
package struct TraceContext: Hashable, Sendable {
    /// The 128 bits of the trace's id; never all zero.
    package let traceHigh: UInt64
    package let traceLow: UInt64
    /// The id of the span that sends the request; never zero.
    package let spanID: UInt64
    /// Whether the sender keeps what it knows of the request, and others may want to.
    package let isSampled: Bool
    /// Whether the trace's id is known to be random.
    package let isRandom: Bool

    /// Bytes of one of version 00.
    package static let textLength = 55

    /// - Returns: nil for ids of which one is zero, which stand for none.
    package init?(
        traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool, isRandom: Bool
    ) {
        guard traceHigh | traceLow != 0, spanID != 0 else { return nil }
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.isSampled = isSampled
        self.isRandom = isRandom
    }

    /// Reads the value of a `traceparent`.
    ///
    /// - Returns: nil for one that is malformed: digits in upper case, an id of zeros, version `ff`, or more behind one of
    ///   version 00. Of a later version what this one has is read (§4.3), whatever follows behind a `-`.
    package init?(_ text: UnsafeRawBufferPointer) {
        let dash = UInt8(ascii: "-")
        guard text.count >= Self.textLength, text[2] == dash, text[35] == dash, text[52] == dash,
            let version = Self.hexadecimal(text, 0..<2), version != 0xff,
            text.count == Self.textLength || (version > 0 && text[55] == dash),
            let high = Self.hexadecimal(text, 3..<19), let low = Self.hexadecimal(text, 19..<35),
            let span = Self.hexadecimal(text, 36..<52), let flags = Self.hexadecimal(text, 53..<55)
        else { return nil }
        // Later versions say nothing that we know but by the first flag.
        self.init(
            traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 != 0,
            isRandom: version == 0 && flags & 2 != 0)
    }

    package init?(_ text: String) {
        var text = text
        guard let context = text.withUTF8({ Self(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = context
    }

    /// The same trace, as another span of it sends the request on.
    package func sent(by span: UInt64, isSampled: Bool) -> TraceContext? {
        TraceContext(
            traceHigh: traceHigh, traceLow: traceLow, spanID: span, isSampled: isSampled, isRandom: isRandom)
    }

    /// As the field says it, in version 00.
    package var text: String {
        String(unsafeUninitializedCapacity: Self.textLength) { bytes in
            let dash = UInt8(ascii: "-")
            Self.write(0, 2, to: bytes, at: 0)
            Self.write(traceHigh, 16, to: bytes, at: 3)
            Self.write(traceLow, 16, to: bytes, at: 19)
            Self.write(spanID, 16, to: bytes, at: 36)
            Self.write(UInt64(flags), 2, to: bytes, at: 53)
            (bytes[2], bytes[35], bytes[52]) = (dash, dash, dash)
            return Self.textLength
        }
    }

    /// Those that are known.
    package var flags: UInt8 { (isSampled ? 1 : 0) | (isRandom ? 2 : 0) }

    /// 32 hexadecimal digits.
    package var traceID: String {
        String(unsafeUninitializedCapacity: 32) { bytes in
            Self.write(traceHigh, 16, to: bytes, at: 0)
            Self.write(traceLow, 16, to: bytes, at: 16)
            return 32
        }
    }

    /// The 16 hexadecimal digits of a span's id.
    package static func text(ofSpan id: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { bytes in
            write(id, 16, to: bytes, at: 0)
            return 16
        }
    }

    private static func write(
        _ value: UInt64, _ digits: Int, to bytes: UnsafeMutableBufferPointer<UInt8>, at start: Int
    ) {
        for place in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - place)) & 15)
            bytes[start + place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }

    /// Digits in lower case alone.
    private static func hexadecimal(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for index in range {
            switch text[index] {
            case let byte where byte &- 0x30 < 10: value = value << 4 | UInt64(byte &- 0x30)
            case let byte where byte &- 0x61 < 6: value = value << 4 | UInt64(byte &- 0x61 &+ 10)
            default: return nil
            }
        }
        return value
    }
}

extension HeaderFields {
    /// What `traceparent` says; nil where it is absent, malformed, or there more than once.
    package var traceContext: TraceContext? {
        guard count(of: .traceparent) == 1, let entry = first(.traceparent) else { return nil }
        return bytes.withUnsafeReadableBytes {
            TraceContext(UnsafeRawBufferPointer(rebasing: $0[entry.valueRange]))
        }
    }

    /// Puts another `traceparent` in the place of what is there.
    ///
    /// - Parameter keepsState: whether `tracestate` stays, within its bounds; else it goes, as that of another trace.
    package mutating func setTraceContext(_ context: TraceContext, keepsState: Bool) {
        if keepsState { boundTraceState() } else { remove(.tracestate) }
        remove(.traceparent)
        append(.traceparent, context.text)
    }

    /// `tracestate` may have 32 members, and whoever passes it on need keep 512 bytes of it (§3.3.1.5): the longest ones go
    /// first, then the last.
    private mutating func boundTraceState() {
        guard contains(.tracestate) else { return }
        var members = elements(.tracestate)
        guard (1...TraceState.mostMembers).contains(members.count) else { return remove(.tracestate) }
        guard TraceState.length(of: members) > TraceState.longest else { return }
        TraceState.shorten(&members)
        remove(.tracestate)
        if !members.isEmpty { append(.tracestate, members.joined(separator: ",")) }
    }
}

private enum TraceState {
    static let mostMembers = 32
    /// In bytes.
    static let longest = 512
    /// Of one member, before it goes in favour of others.
    static let longestMember = 128

    static func length(of members: [String]) -> Int {
        members.reduce(members.count - 1) { $0 + $1.utf8.count }
    }

    static func shorten(_ members: inout [String]) {
        for index in members.indices.reversed()
        where length(of: members) > longest && members[index].utf8.count > longestMember {
            members.remove(at: index)
        }
        while length(of: members) > longest { members.removeLast() }
    }
}
