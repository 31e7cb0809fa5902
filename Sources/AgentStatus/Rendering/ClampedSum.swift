extension Int {
    /// The sum, or the bound that it lies beyond: agents may say any number.
    func addingClamped(_ other: Int) -> Int {
        let (sum, isTooMuch) = addingReportingOverflow(other)
        return isTooMuch ? other > 0 ? .max : .min : sum
    }
}
