import Glibc
import HTTPMessage

/// What the `Date` of an answer says now (RFC 9110 §6.6.1), written anew once a second. One for all connections of an event loop, where those are many.
package final class DateStamp {
    private var second = -1
    private var written = ""

    package init() {}

    package var text: String {
        let now = time(nil)
        if now != second {
            second = now
            written = HTTPDate.format(now)
        }
        return written
    }
}
