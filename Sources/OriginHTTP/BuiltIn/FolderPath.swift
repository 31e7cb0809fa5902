import HTTPMessage

/// A request target as a path inside a folder, or why there is none. Pure: says nothing of what exists.
struct FolderPath: Equatable {
    enum Refusal: Error {
        /// A broken escape, a NUL, or no origin form: 400.
        case malformed
        /// Names something that is never served: 404.
        case hidden
    }

    /// Relative, without `.` and `..` segments; empty for the folder itself.
    let path: String
    /// Whether the target ended with `/`.
    let namesFolder: Bool

    /// Decodes a target once. What could leave the folder is refused rather than resolved: `..`, and a backslash.
    /// So are hidden files (`.git`, `.env`) unless they are served, but for `.well-known` (RFC 8615).
    init(target: String, servesHidden: Bool = false) throws(Refusal) {
        guard target.first == "/",
            let decoded = PercentEncoding.decode(target.prefix { $0 != "?" && $0 != "#" }),
            !decoded.utf8.contains(0)
        else { throw .malformed }
        let segments = decoded.utf8.split(separator: UInt8(ascii: "/")).map(String.init)
            .map { $0 ?? "" }.filter { $0 != "." }
        guard !decoded.utf8.contains(UInt8(ascii: "\\")),
            !segments.contains(where: { $0 == ".." || !servesHidden && Self.isHidden($0.utf8) })
        else { throw .hidden }
        self.path = segments.joined(separator: "/")
        self.namesFolder = decoded.utf8.last == UInt8(ascii: "/") || decoded.hasSuffix("/.")
    }

    /// Whether a name is that of a hidden file, but for `.well-known` (RFC 8615).
    static func isHidden(_ name: some Collection<UInt8>) -> Bool {
        name.first == UInt8(ascii: ".") && !name.elementsEqual(".well-known".utf8)
    }

    /// Where a folder is found when its name came without `/`: relative, so that it holds below any base path.
    static func redirect(_ target: String) -> String {
        let path = target.prefix { $0 != "?" }
        let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
        return "./\(name)/\(target[path.endIndex...])"
    }
}

/// Content types by the suffix of a file name.
enum MediaType {
    static func of(_ path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
        return switch name[name.index(after: dot)...].lowercased() {
        case "html", "htm": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "txt", "log": "text/plain; charset=utf-8"
        case "md": "text/markdown; charset=utf-8"
        case "csv": "text/csv; charset=utf-8"
        case "json", "map": "application/json"
        case "webmanifest": "application/manifest+json"
        case "xml": "application/xml"
        case "pdf": "application/pdf"
        case "wasm": "application/wasm"
        case "zip": "application/zip"
        case "gz": "application/gzip"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "gif": "image/gif"
        case "webp": "image/webp"
        case "avif": "image/avif"
        case "ico": "image/x-icon"
        case "woff": "font/woff"
        case "woff2": "font/woff2"
        case "ttf": "font/ttf"
        case "mp3": "audio/mpeg"
        case "mp4": "video/mp4"
        case "webm": "video/webm"
        default: "application/octet-stream"
        }
    }
}
