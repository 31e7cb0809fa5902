/// One block of a PEM file (RFC 7468 §2).
package struct PEMBlock: Hashable, Sendable {
    /// Between `BEGIN` and the dashes: `CERTIFICATE`, `PRIVATE KEY`, …
    package let label: String
    package let bytes: [UInt8]
    /// Of the `BEGIN`, from 1 on.
    package let line: Int
    /// Whether the bytes are encrypted, by the label or by a header field (RFC 1421 §4.6.1.1).
    package let isEncrypted: Bool
}

/// What is wrong with a PEM file, and where. No message repeats what a block holds: that may be a key.
package struct PEMError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// A line that begins as `-----BEGIN` or `-----END` and is none.
        case marker
        /// `END` without `BEGIN`, `BEGIN` in a block, another label at the end, or no end.
        case nesting
        /// Not Base64, or a part of it is missing.
        case base64
        /// A block that holds nothing.
        case empty
    }

    package let code: Code
    /// From 1 on.
    package let line: Int
    /// What is wrong, without the line.
    package let message: String

    package var description: String { "line \(line): \(message)" }
}

/// The textual form of certificates and keys (RFC 7468).
package enum PEM {
    /// All blocks, in the order of the file. Text before, between and behind them is skipped, and so are header fields
    /// in them (RFC 1421). Lines end in LF, CR or both; a byte order mark may stand in front.
    package static func blocks(in bytes: some Collection<UInt8>) throws(PEMError) -> [PEMBlock] {
        var reader = PEMReader()
        var rest = Array(bytes)[...]
        if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest = rest.dropFirst(3) }
        while !rest.isEmpty {
            let line = rest.prefix { $0 != 0x0a && $0 != 0x0d }
            try reader.take(line)
            rest = rest[line.endIndex...]
            if rest.popFirst() == 0x0d, rest.first == 0x0a { rest = rest.dropFirst() }
        }
        return try reader.end()
    }
}

private struct PEMReader {
    private struct OpenBlock {
        let label: String
        let line: Int
        var decoder = Base64Decoder()
        var isInHeader = false
        var isEncrypted: Bool
    }

    private enum Marker {
        case begin(String)
        case end(String)
    }

    private static let begin = Array("-----BEGIN".utf8)
    private static let end = Array("-----END".utf8)
    private static let dashes = Array("-----".utf8)

    private var blocks: [PEMBlock] = []
    private var open: OpenBlock?
    private var line = 0

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(PEMError) {
        line += 1
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        var text = bytes.drop(while: isSpace)
        while text.last.map(isSpace) == true { text = text.dropLast() }
        let marker = try marker(text)
        if marker != nil, text.startIndex != bytes.startIndex {
            throw error(
                .marker, "the marker is indented, and would be overlooked: take away the space before it")
        }
        switch (marker, open) {
        case (.begin(let label), nil):
            open = OpenBlock(label: label, line: line, isEncrypted: label == "ENCRYPTED PRIVATE KEY")
        case (.begin(let label), let block?):
            throw error(
                .nesting,
                "BEGIN \(label) before END \(block.label) of the block that begins in line \(block.line)")
        case (.end(let label), nil): throw error(.nesting, "END \(label) without BEGIN \(label)")
        case (.end(let label), let block?): try close(block, label)
        case (nil, nil): break
        case (nil, var block?):
            open = nil
            try take(text, into: &block)
            open = block
        }
    }

    func end() throws(PEMError) -> [PEMBlock] {
        if let open {
            throw PEMError(
                code: .nesting, line: open.line,
                message: "BEGIN \(open.label) without END \(open.label): the file is cut off")
        }
        return blocks
    }

    private func marker(_ text: ArraySlice<UInt8>) throws(PEMError) -> Marker? {
        let isBegin = text.starts(with: Self.begin)
        guard isBegin || text.starts(with: Self.end) else { return nil }
        let rest = text.dropFirst((isBegin ? Self.begin : Self.end).count)
        let label = rest.dropFirst().dropLast(Self.dashes.count)
        guard rest.first == 0x20, rest.suffix(Self.dashes.count).elementsEqual(Self.dashes),
            (1...64).contains(label.count), label.allSatisfy({ (0x20...0x7e).contains($0) }),
            // §3: no two hyphens together. A whole block on one line is no label, and not for a message.
            !zip(label, label.dropFirst()).contains(where: { $0 == (0x2d, 0x2d) })
        else {
            throw error(
                .marker,
                isBegin
                    ? "no sound marker: write -----BEGIN CERTIFICATE----- or the like, alone on its line"
                    : "no sound marker: write -----END CERTIFICATE----- or the like, alone on its line")
        }
        let name = String(decoding: label, as: UTF8.self)
        return isBegin ? .begin(name) : .end(name)
    }

    private func take(_ text: ArraySlice<UInt8>, into block: inout OpenBlock) throws(PEMError) {
        if block.isInHeader {
            block.isInHeader = !text.isEmpty
        } else if block.decoder.isEmpty, text.contains(UInt8(ascii: ":")) {
            block.isInHeader = true
        }
        if block.isInHeader {
            if text.starts(with: Array("Proc-Type:".utf8)), text.suffix(9).elementsEqual("ENCRYPTED".utf8) {
                block.isEncrypted = true
            }
            return
        }
        for byte in text where byte != 0x20 && byte != 0x09 {
            guard block.decoder.take(byte) else {
                throw error(.base64, "in the block \(block.label) stands what is no Base64")
            }
        }
    }

    private mutating func close(_ block: OpenBlock, _ label: String) throws(PEMError) {
        guard label == block.label else {
            throw error(
                .nesting, "END \(label) ends the block \(block.label) that begins in line \(block.line)")
        }
        guard let bytes = block.decoder.end() else {
            throw error(.base64, "the Base64 of the block \(label) is not whole: a part of it is missing")
        }
        guard !bytes.isEmpty else {
            throw PEMError(code: .empty, line: block.line, message: "the block \(label) holds nothing")
        }
        blocks.append(
            PEMBlock(label: label, bytes: bytes, line: block.line, isEncrypted: block.isEncrypted))
        open = nil
    }

    private func error(_ code: PEMError.Code, _ message: String) -> PEMError {
        PEMError(code: code, line: line, message: message)
    }
}
