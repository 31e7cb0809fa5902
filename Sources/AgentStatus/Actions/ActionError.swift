/// Why an agent does not do, or answer, what it is asked; in words, with advice. They hold no secret.
package struct ActionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Of the admin API's answer.
    package let status: Int
    package let description: String

    package init(_ status: Int, _ description: String) {
        self.status = status
        self.description = description
    }
}
