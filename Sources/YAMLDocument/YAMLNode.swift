/// A place in a document, as an editor counts: lines and columns start at 1, columns count characters
/// (Unicode scalars), not bytes.
package struct YAMLMark: Hashable, Sendable, Comparable {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One node of a document, with the place where it is written.
///
/// A node reached through an alias or a merge key keeps the place of its anchor: that is where a wrong
/// value has to be mended.
package struct YAMLNode: Hashable, Sendable {
    /// What a node holds. Mappings keep the order of the file; merge keys are already merged.
    package enum Content: Hashable, Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
    }

    package let content: Content
    /// Where the node starts (at its anchor or tag, if it has one).
    package let mark: YAMLMark
    /// The first place behind the node.
    package let end: YAMLMark

    package init(content: Content, mark: YAMLMark, end: YAMLMark) {
        self.content = content
        self.mark = mark
        self.end = end
    }

    /// The scalar, or nil for a sequence or mapping.
    package var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { scalar } else { nil }
    }

    /// The items, or nil unless this is a sequence.
    package var sequence: [YAMLNode]? {
        if case .sequence(let items) = content { items } else { nil }
    }

    /// The entries in the order of the file, or nil unless this is a mapping.
    package var mapping: [YAMLEntry]? {
        if case .mapping(let entries) = content { entries } else { nil }
    }
}

/// A key and its value. Keys are scalars and unique within their mapping.
package struct YAMLEntry: Hashable, Sendable {
    /// The key's text.
    package let key: String
    /// Where the key starts.
    package let keyMark: YAMLMark
    /// The first place behind the key.
    package let keyEnd: YAMLMark
    package let value: YAMLNode

    package init(key: String, keyMark: YAMLMark, keyEnd: YAMLMark, value: YAMLNode) {
        self.key = key
        self.keyMark = keyMark
        self.keyEnd = keyEnd
        self.value = value
    }
}
