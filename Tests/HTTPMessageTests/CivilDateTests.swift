import HTTPMessage
import Testing

@Suite struct CivilDateTests {
    @Test(arguments: [
        (0, 1970, 1, 1), (-1, 1969, 12, 31), (11_016, 2000, 2, 29), (11_017, 2000, 3, 1),
        (47_540, 2100, 2, 28), (47_541, 2100, 3, 1), (-719_528, 0, 1, 1), (-719_469, 0, 2, 29),
        (-719_162, 1, 1, 1), (2_932_896, 9999, 12, 31),
    ])
    func daysHaveDates(days: Int, year: Int, month: Int, day: Int) {
        #expect(CivilDate(daysSince1970: days) == CivilDate(year: year, month: month, day: day))
    }

    @Test func theNextDayIsTheNextDate() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var (year, month, day) = (1, 1, 1)
        for days in -719_162...100_000 {
            let date = CivilDate(daysSince1970: days)
            guard date == CivilDate(year: year, month: month, day: day), date.daysSince1970 == days else {
                Issue.record("\(days): \(date)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }
}
