package import NIOCore
import Synchronization

/// One object for each event loop, kept by those who use it: when nobody does, it is gone.
///
/// Each must keep its loop, so that no other one has the same identity while it is there.
package final class OnePerLoop<Value: AnyObject & Sendable>: Sendable {
    private struct Known {
        weak var value: Value?
    }

    private let known = Mutex<[ObjectIdentifier: Known]>([:])

    package init() {}

    /// - Parameter make: called where there is none.
    package func value(of eventLoop: any EventLoop, orElse make: (any EventLoop) -> Value) -> Value {
        known.withLock { known in
            if let value = known[ObjectIdentifier(eventLoop)]?.value { return value }
            let value = make(eventLoop)
            known = known.filter { $0.value.value != nil }
            known[ObjectIdentifier(eventLoop)] = Known(value: value)
            return value
        }
    }
}
