import Glibc

/// Seconds since 1970.
package enum UnixTime {
    package static var now: Int { time(nil) }

    /// The same in milliseconds.
    package static var milliseconds: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
