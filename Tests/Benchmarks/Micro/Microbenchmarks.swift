import Glibc

/// Runs one benchmark so many times, for a tool that counts its instructions: what twice as many times cost more, the
/// operation costs, without the start of the program and what is made at the first use.
@main enum Microbenchmarks {
    private static let all =
        webSocketBenchmarks + sessionBenchmarks + headBenchmarks + messageBenchmarks + serverBenchmarks
        + configurationBenchmarks + nameBenchmarks

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.count {
        case 1 where arguments[0] == "--list":
            for benchmark in all { print("\(benchmark.name)\t\(benchmark.iterations)\t\(benchmark.about)") }
        case 2:
            guard let count = Int(arguments[1]), count > 0 else {
                fail("\(arguments[1]) is no number of times")
            }
            guard let benchmark = all.first(where: { $0.name == arguments[0] }) else {
                fail("no benchmark is named \(arguments[0]); --list shows them")
            }
            run(benchmark, count)
        default:
            fail("usage: microbenchmarks NAME TIMES, or microbenchmarks --list")
        }
    }

    private static func run(_ benchmark: Benchmark, _ count: Int) {
        do {
            let operation = try benchmark.prepare()
            for _ in 0..<count { try operation() }
        } catch {
            fail("\(benchmark.name): \(error)")
        }
    }

    private static func fail(_ message: String) -> Never {
        let line = Array("error: \(message)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        exit(1)
    }
}
