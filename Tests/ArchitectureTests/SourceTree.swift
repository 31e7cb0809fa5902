import Foundation
import TestSupport

/// The package's files, as the tests of its architecture read them.
enum SourceTree {
    /// The package's folder.
    static let root: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The modules: the folders of `Sources`.
    static func modules() throws -> [String] {
        try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent("Sources"), includingPropertiesForKeys: [.isDirectoryKey]
        )
        .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
        .map(\.lastPathComponent)
        .sorted()
    }

    /// The Swift files below a folder of the package: path from the root, and text.
    static func swiftFiles(below folder: String) throws -> [(path: String, text: String)] {
        let top = root.appendingPathComponent(folder).path
        guard let paths = FileManager.default.enumerator(atPath: top) else {
            throw TestFailure("no folder \(top)")
        }
        return try paths.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().map {
            (folder + "/" + $0, try String(contentsOfFile: top + "/" + $0, encoding: .utf8))
        }
    }

    /// What a Swift text imports, without access words and attributes: `NIOCore`,
    /// `struct NIOCore.ByteBuffer`.
    static func imports(in text: String) -> [String] {
        text.split(whereSeparator: { $0.isNewline || $0 == ";" }).compactMap { line in
            let pattern =
                /^\s*(?:@\w+(?:\([^)]*\))?\s+|(?:public|package|internal|fileprivate|private)\s+)*import\s+(.+?)\s*(?:\/\/.*)?$/
            return line.firstMatch(of: pattern).map { String($0.1) }
        }
    }
}
