/// One operation, to be repeated. It throws when its result is wrong.
typealias Operation = () throws -> Void

/// An operation of the program whose instructions are counted.
struct Benchmark: Sendable {
    let name: String
    let about: String
    /// How often it is run to be counted: enough for a steady figure, few enough to be quick.
    let iterations: Int
    /// Makes what the operation needs, and checks thoroughly, once, that it does what it should.
    let prepare: @Sendable () throws -> Operation

    init(
        _ name: String, _ about: String, iterations: Int = 200,
        prepare: @escaping @Sendable () throws -> Operation
    ) {
        self.name = name
        self.about = about
        self.iterations = iterations
        self.prepare = prepare
    }
}

/// The operation gave something else than it should.
struct WrongResult: Error, CustomStringConvertible {
    let description: String
}

/// - Throws: when a result is not as it should be: what is wrong must not look fast.
func require(_ isRight: Bool, _ what: @autoclosure () -> String) throws {
    if !isRight { throw WrongResult(description: "wrong result: \(what())") }
}

/// Takes a result, so that the optimiser cannot leave out the work that made it.
@inline(never)
func blackHole<Value>(_ value: borrowing Value) {
    withUnsafePointer(to: value) { address in sink = UnsafeRawPointer(address) }
}

/// One thread runs; nobody reads it.
nonisolated(unsafe) private var sink: UnsafeRawPointer?
