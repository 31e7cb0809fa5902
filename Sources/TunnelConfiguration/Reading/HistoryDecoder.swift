/// `history`.
extension MappingReader {
    /// - Returns: nil without a usable file; problems are recorded.
    func history() -> HistoryConfiguration? {
        let (keep, maxBytes) = (value(HistoryKeys.keep), value(HistoryKeys.maxSize))
        guard field(HistoryKeys.file.declaration) != nil else {
            if !misses(HistoryKeys.file.declaration) {
                pass.error(
                    at: place, path, "there is no \"file\"",
                    advice: "name one, or remove \"history\": then a little of it is kept in memory")
            }
            return nil
        }
        guard let file = resolvedPath(HistoryKeys.file) else { return nil }
        checkFolder(of: file, HistoryKeys.file.declaration)
        return HistoryConfiguration(file: file, keep: keep, maxBytes: maxBytes)
    }
}
