/// Why a document cannot be used, and where.
package struct YAMLProblem: Error, Hashable, Sendable {
    /// What is wrong.
    package enum Kind: Hashable, Sendable {
        /// The document is longer than the limit, in bytes.
        case tooLarge(limit: Int)
        /// The bytes are no UTF-8.
        case notUTF8
        /// A NUL, in the file or written as an escape.
        case nul
        /// A control character or non-character that YAML forbids; the value is its code point.
        case forbiddenCharacter(UInt32)
        /// libyaml cannot go on: what it met, and what it was reading (with the line where that began).
        case syntax(problem: String, context: String?, contextLine: Int?)
        /// A value that starts with a character that no plain one can start with, such as `@`.
        case cannotStart(with: Unicode.Scalar)
        /// A tab where only spaces can indent.
        case tab
        /// A second document in the file.
        case severalDocuments
        /// A `%TAG` directive: tags are limited to YAML's own.
        case tagDirective
        /// A tag that is none of YAML's own, or that does not fit what it stands at.
        case unknownTag(String)
        /// A key that the mapping already has, and where it was first written.
        case duplicateKey(String, first: YAMLMark)
        /// A sequence or mapping as a key.
        case keyIsNoScalar
        /// An alias for an anchor that is not written before it.
        case unknownAlias(String)
        /// An alias inside the very node that it stands for.
        case recursiveAlias(String)
        /// `<<` with something other than a mapping or a list of mappings.
        case mergeOfNoMapping
        /// Nested deeper than the limit, aliases counted as what they stand for.
        case tooDeep(limit: Int)
        /// More nodes than the limit, aliases counted as what they stand for (an alias bomb).
        case tooManyNodes(limit: Int)
    }

    package let kind: Kind
    package let mark: YAMLMark

    package init(_ kind: Kind, at mark: YAMLMark) {
        self.kind = kind
        self.mark = mark
    }
}

/// How much a document may ask of us. Depth and node count are taken with aliases expanded, so that a small
/// file cannot stand for a huge tree.
package struct YAMLLimits: Hashable, Sendable {
    /// Longest document, in bytes.
    package var size: Int
    /// Deepest nesting of sequences and mappings.
    package var depth: Int
    /// Most nodes.
    package var nodes: Int
    /// Most problems in one report; parsing ends there.
    package var problems: Int

    package init(
        size: Int = 10 * 1024 * 1024, depth: Int = 64, nodes: Int = 1_000_000, problems: Int = 100
    ) {
        self.size = size
        self.depth = depth
        self.nodes = nodes
        self.problems = problems
    }
}
