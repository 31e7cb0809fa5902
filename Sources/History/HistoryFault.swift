/// Why a history is not in its file.
struct HistoryFault: Error, Sendable, Hashable, CustomStringConvertible {
    enum Kind: Sendable, Hashable {
        /// It holds something else: nobody's file is written over.
        case foreign
        /// Written by a later version of this program.
        case newer
        case damaged, locked, full, readOnly
        /// Questions find it damaged, and nothing else does.
        case unreadable
        case other
    }

    let kind: Kind
    let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    init(_ error: SQLiteError, _ path: String) {
        switch error.reason {
        case .busy: self.init(.locked, "\(path) is locked by another process, which does not let go of it")
        case .full:
            self.init(.full, "\(path): there is no more room (\(error.message)) — make some on the disk")
        case .damaged: self.init(.damaged, "\(path) is damaged: \(error.message)")
        case .readOnly:
            self.init(
                .readOnly, "\(path) cannot be written: \(error.message) — check its owner and file system")
        case .interrupted, .other:
            self.init(
                .other, "cannot use \(path): \(error.message) — check that its folder exists and is writable")
        }
    }

    static func foreign(_ path: String) -> HistoryFault {
        HistoryFault(
            .foreign, "\(path) holds something else than a history — name another file, or remove it")
    }

    /// It says that it is a history, and is none.
    static func incomplete(_ path: String, _ lack: String) -> HistoryFault {
        HistoryFault(.damaged, "\(path) is damaged: it is a history by its header, but \(lack)")
    }

    static func unreadable(_ path: String, _ finding: String) -> HistoryFault {
        HistoryFault(
            .unreadable,
            "questions find \(path) damaged, but \(finding) — ask for another time, or move it away and a new one is begun"
        )
    }

    static func newer(_ path: String, version: Int64) -> HistoryFault {
        HistoryFault(
            .newer,
            "\(path) is of a later version of wstunnel (format \(version)), and left alone — name another file, or remove it"
        )
    }
}
