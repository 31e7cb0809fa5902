/// Something that the test's world expected did not come about.
package struct TestFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}
