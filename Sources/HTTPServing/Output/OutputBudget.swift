/// The memory that all connections of the process may use for what waits to go out. A class, as one that may be anything is
/// copied by way of its type whenever it is asked.
package protocol OutputBudget: AnyObject, Sendable {
    /// Whether so much is used that each should keep little.
    var isShort: Bool { get }
    /// Takes so many bytes, or none when they are not there.
    func take(_ bytes: Int) -> Bool
    /// Gives back what was taken.
    func giveBack(_ bytes: Int)
}
