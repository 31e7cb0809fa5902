import Glibc

/// Seconds since 1970.
enum UnixTime {
    static var now: Int { time(nil) }
}
