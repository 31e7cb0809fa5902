import TestSupport
import Testing
import TunnelConfiguration

/// A good file with characters changed at random: always a report, and never a secret in it.
@Suite(.timeLimit(.minutes(1)))
struct BrokenAtRandomTests {
    private static let head = """
        version: 1
        include: [conf.d/*.yaml]
        admin: { token: a-long-one-zzyzx-6 }
        defaults: { tunnel: { timeout: 30s } }

        """
    private static let entries = """
        servers:
          - name: public
            port: 8080
            hosts: [{ host: www.example.com, token: a-long-one-zzyzx-5 }]
            passwords:
              - token: a-long-one-zzyzx-1
                password: a-short-zzyzx-1
              - { token: a-long-one-zzyzx-2, passwords: [a-short-zzyzx-2, "a-short-zzyzx-3"] }
        tunnels:
          - name: web
            tunnel: wss://user:a-short-zzyzx-4@tunnel.example.com
            server: http://localhost:8080
            token: a-long-one-zzyzx-3
            password: "a-short-zzyzx-5"
          - { name: b, tunnel: "ws://h", server: "builtin:echo", token: a-long-one-zzyzx-4 }

        """

    @Test(arguments: 0..<8, [false, true])
    func noSecretShowsWhereverTheFileBreaks(_ run: UInt64, isIncluded: Bool) {
        var random = SplitMix64(seed: 0x6272 + run)
        print("seed \(random.seed)")
        // Colons and line ends stay: without them a secret becomes part of a value that may be shown.
        let insertions = Array(" -{}[]\"'#&*!|>,xT$~%\t\u{0}\u{1f}".unicodeScalars)
        let text = isIncluded ? Self.entries : Self.head + Self.entries
        for _ in 0..<100 {
            var scalars = Array(text.unicodeScalars)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<scalars.count, using: &random)
                let insertion = insertions[Int.random(in: 0..<insertions.count, using: &random)]
                switch scalars[place] {
                case ":", "\n": scalars.insert(insertion, at: place)
                default: scalars[place] = insertion
                }
            }
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            let broken = String(view)
            let machine = PretendMachine()
            // As the main file, and as one that another includes.
            machine.write(broken, to: isIncluded ? "/conf.d/a.yaml" : "/c")
            if isIncluded { machine.write("include: conf.d/*.yaml\n", to: "/c") }
            let report = loadConfiguration(at: "/c", from: machine)
            let shown =
                ProblemRendering.text(of: report, hasExcerpts: true) + ProblemRendering.json(of: report)
            #expect(!shown.contains("zzyzx"), "\(broken)\n\n\(shown)")
            #expect(report.isValid == (report.configuration != nil))
        }
    }
}
