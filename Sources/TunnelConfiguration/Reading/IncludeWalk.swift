import YAMLDocument

/// Follows `include` from the main file on, depth first: each file is read once.
struct IncludeWalk {
    let pass: LoadingPass
    var documents: ConfigurationDocuments
    /// The included files, in the order in which their entries count.
    private(set) var readers: [MappingReader] = []
    /// Bytes that may still be read.
    private var sizeLeft: Int
    private var seen: Set<String> = []
    private var foldersLeft = Self.mostFolders
    private var isOver = false

    /// More is no configuration but a pattern that matches by mistake.
    static let mostFiles = 1000
    static let mostFolders = 1000
    static let deepest = 8
    static let longestInAll = 64 * 1024 * 1024

    /// - Parameter size: length of the main file.
    init(pass: LoadingPass, documents: ConfigurationDocuments, size: Int) {
        self.pass = pass
        self.documents = documents
        sizeLeft = Self.longestInAll - size
    }

    /// A file on the way from the main one.
    private struct Link {
        let path: String
        let identity: String

        init(_ path: String, _ source: any ConfigurationSource) {
            self.path = path
            identity = source.identity(ofFile: path)
        }
    }

    /// Reads all that the main file leads to.
    mutating func follow(main: MappingReader) {
        guard !main.isOffline, main.field(Keys.include) != nil else {
            return follow(main, chain: [])
        }
        follow(main, chain: [Link(main.file.path, pass.source)])
    }

    /// Reads what a file includes.
    /// - Parameter chain: the files that lead to it, itself the last.
    private mutating func follow(_ reader: MappingReader, chain: [Link]) {
        guard let list = reader.field(Keys.include) else { return }
        let items = list.node.sequence.map(list.items) ?? [list]
        if items.isEmpty {
            pass.error(
                at: list.place, list.path, "the list is empty", advice: "give a pattern, or remove the key")
        }
        for item in items {
            guard let text = reader.text(of: item)?.text else { continue }
            do throws(ValueFault) {
                let pattern = try PathPattern.parse(text)
                guard !reader.isOffline else { continue }
                for path in matches(of: pattern, item) where !isOver { take(path, item, chain) }
            } catch {
                pass.error(at: item.place, item.path, error.message, advice: error.advice)
            }
        }
    }

    private mutating func take(_ path: String, _ item: MappingReader.Field, _ chain: [Link]) {
        let link = Link(path, pass.source)
        if let start = chain.firstIndex(where: { $0.identity == link.identity }) {
            let way = (chain[start...] + [link]).map(\.path).joined(separator: " → ")
            pass.error(
                at: item.place, item.path, "\(Quotation.of(path)) includes itself (\(way))",
                advice: "remove one of the includes, or write a pattern that does not match it")
            return
        }
        guard seen.insert(link.identity).inserted else { return }
        guard chain.count <= Self.deepest else {
            pass.error(
                at: item.place, item.path, "included files are nested deeper than \(Self.deepest)",
                advice: "include \(Quotation.of(path)) from the main file")
            return
        }
        guard seen.count <= Self.mostFiles else {
            isOver = true
            pass.error(
                at: item.place, item.path, "more than \(Self.mostFiles) files are included",
                advice: "correct the pattern, or join files")
            return
        }
        let limit = min(YAMLLimits().size, sizeLeft)
        switch pass.readFile(path, sizeLimit: limit) {
        case .failure(.tooLarge) where limit == sizeLeft:
            isOver = true
            pass.error(
                at: item.place, item.path, "the files are longer than 64 MiB in all",
                advice: "correct the pattern, or the paths")
        case .failure(.tooLarge):
            pass.error(
                at: item.place, item.path, "\(Quotation.of(path)) is longer than 10 MiB",
                advice: "split it, or correct the path")
        case .failure(let error):
            pass.error(
                at: item.place, item.path, "cannot read \(Quotation.of(path)): \(error)",
                advice: error.fileAdvice)
        case .success(let content):
            sizeLeft -= content.bytes.count
            let file = SourceFile(path: path, isWorldReadable: content.isWorldReadable)
            guard let root = documents.parse(content, file, pass).root,
                let reader = MappingReader(root, .included, pass: pass)
            else { return }
            _ = reader.value(Keys.version)
            readers.append(reader)
            follow(reader, chain: chain + [link])
        }
    }

    /// The files that a pattern names, sorted.
    private mutating func matches(of pattern: PathPattern, _ item: MappingReader.Field) -> [String] {
        var paths = [pattern.isAbsolute ? "/" : item.file.folder]
        var isFound = false
        for (index, part) in pattern.parts.enumerated() {
            let isLast = index == pattern.parts.count - 1
            switch part {
            case .plain(let name):
                paths = paths.map { $0 + name }
                // Behind a wildcard a file need not be in every folder.
                if isLast, isFound { paths = paths.filter { pass.source.kind(ofPath: $0) != .missing } }
            case .wild(let name):
                isFound = true
                paths = paths.flatMap { folder in
                    names(in: folder, item).filter(name.matches).map { folder + $0 }
                }
                // A folder is no file, whatever it is called; what cannot be looked at fails when it is read.
                paths = paths.filter { (pass.source.kind(ofPath: $0) == .folder) != isLast }
            }
            if !isLast { paths = paths.map { $0 + "/" } }
        }
        return paths.sorted()
    }

    private mutating func names(in folder: String, _ item: MappingReader.Field) -> [String] {
        foldersLeft -= 1
        guard foldersLeft >= 0 else {
            pass.error(
                at: item.place, item.path, "the patterns look into more than \(Self.mostFolders) folders",
                advice: "use fewer wildcards in names of folders")
            return []
        }
        let path = folder.isEmpty ? "." : folder == "/" ? folder : String(folder.dropLast())
        switch pass.listFolder(path) {
        case .success(let names):
            let isPlain = { (name: String) in !name.utf8.contains { $0 < 0x20 || $0 == 0x7f } }
            if !names.allSatisfy(isPlain) {
                pass.error(
                    at: item.place, item.path,
                    "the name of a file in \(Quotation.of(path)) holds a control character",
                    advice: "rename the file")
            }
            return names.filter(isPlain)
        case .failure(.notFound):
            pass.warning(
                at: item.place, item.path,
                "the folder \(Quotation.of(path)) does not exist, so nothing is included",
                advice: "create it or correct the path")
        case .failure(let error):
            pass.error(
                at: item.place, item.path, "cannot look into \(Quotation.of(path)): \(error)",
                advice: error.fileAdvice)
        }
        return []
    }
}
