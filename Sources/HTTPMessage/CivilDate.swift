/// A day of the Gregorian calendar, also before it came into use.
package struct CivilDate: Sendable, Hashable {
    /// 0 is the year before the year 1.
    package let year: Int
    /// 1 to 12.
    package let month: Int
    /// 1 to 31.
    package let day: Int

    private static let daysOfEra = 146_097  // 400 years
    /// From 0000-03-01 to 1970-01-01.
    private static let daysTo1970 = 719_468

    package init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Counts in years that begin on the first of March, so that the leap day is a year's last: then the month follows
    /// from the day by one linear formula (153 days for each five months).
    ///
    /// - Parameter days: since 1970-01-01; negative before that.
    package init(daysSince1970 days: Int) {
        let days = days + Self.daysTo1970
        let remainder = days % Self.daysOfEra
        let dayOfEra = remainder < 0 ? remainder + Self.daysOfEra : remainder
        let era = (days - dayOfEra) / Self.daysOfEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The same counted the other way; for years from 1 on.
    package var daysSince1970: Int {
        let yearFromMarch = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return yearFromMarch * 365 + yearFromMarch / 4 - yearFromMarch / 100 + yearFromMarch / 400
            + dayOfYear - Self.daysTo1970
    }
}
