import Glibc

/// Seconds since 1970.
package enum UnixTime {
    package static var now: Int { time(nil) }
}
