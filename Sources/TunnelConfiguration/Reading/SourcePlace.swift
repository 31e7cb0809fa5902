import YAMLDocument

/// A configuration file in the reading: the main one, or one that it includes.
struct SourceFile: Hashable {
    /// As it was named, or found by a pattern.
    let path: String
    /// Whether every user of the machine may read it.
    var isWorldReadable = false

    /// A path that stands in this file: relative ones start at its folder.
    func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }

    /// "" or a path that ends with `/`.
    var folder: String { path.lastIndex(of: "/").map { String(path[...$0]) } ?? "" }
}

/// What a problem points to.
struct SourcePlace: Hashable {
    let file: SourceFile
    /// Nil when the file as a whole is meant.
    let mark: YAMLMark?

    init(_ file: SourceFile, _ mark: YAMLMark? = nil) {
        self.file = file
        self.mark = mark
    }

    /// How a message about another place names this one.
    func named(from other: SourceFile) -> String {
        guard let mark else { return file.path }
        return file.path == other.path ? "line \(mark.line)" : "\(file.path):\(mark.line):\(mark.column)"
    }
}
