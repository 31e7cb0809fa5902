/// The keys of `history`.
enum HistoryKeys {
    static let history = KeyDeclaration(
        "history", .mapping(.history), "Where what happened is kept; without it a little is, in memory.")

    static let file = ScalarKey<String?>.optional(
        "file", .path, "The file, a database of SQLite.", TextRule.path)
    static let keep = ScalarKey<Duration>(
        declaration: KeyDeclaration(
            "keep", .duration(kept), default: DurationText.formatInDays(HistoryConfiguration.defaultKeep),
            "How long events and requests are kept, 1h to 366d; totals of minutes for 31 days at least."),
        defaultValue: HistoryConfiguration.defaultKeep,
        parse: { value throws(ValueFault) in try ValueRule.duration(value, kept) })
    static let maxSize = ScalarKey<Int>(
        declaration: KeyDeclaration(
            "max-size", .byteCount(sizes),
            default: ByteCountText.format(HistoryConfiguration.defaultMaxBytes),
            "How large the file may become; then the oldest goes, 4MiB to 1TiB."),
        defaultValue: HistoryConfiguration.defaultMaxBytes,
        parse: { value throws(ValueFault) in try ValueRule.byteCount(value, sizes) })

    static let all = [file.declaration, keep.declaration, maxSize.declaration]

    private static let kept: ClosedRange<Duration> = .seconds(3600) ... .seconds(366 * 86_400)
    private static let sizes = 4 << 20...1 << 40
}
