package import NIOCore

/// A connection of a caller, whatever version of HTTP it speaks, as those see it who have many. Used on its event loop.
package protocol CallerConnection: AnyObject {
    /// Of its channel.
    var eventLoop: any EventLoop { get }

    /// Finishes what was asked, then closes, so that its caller connects anew.
    func leave()
    /// Memory or the like is short: closes now if it only waits for its caller's next request. Else its reception says that
    /// the next answer is the last.
    func shed()
    /// The server stops: what was asked is finished, and what waits for a tunnel does so no longer.
    ///
    /// - Returns: when there is nothing more to wait for but answers.
    @discardableResult func stop() -> EventLoopFuture<Void>
    /// The grace is over: what came goes out if that takes no time.
    func cut()
}
