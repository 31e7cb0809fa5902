/// `history`.
extension ConfigurationRendering {
    static func write(_ history: HistoryConfiguration?, to text: inout ConfigurationText) {
        guard let history else { return }
        text.line(0, "\(HistoryKeys.history.name):")
        text.entry(2, HistoryKeys.file, text: history.file)
        text.entry(2, HistoryKeys.keep, plain: DurationText.formatInDays(history.keep))
        text.entry(2, HistoryKeys.maxSize, plain: ByteCountText.format(history.maxBytes))
    }
}
