import Foundation
import TestSupport
import Testing

/// Programs from PyPI and Debian, as they come: by a name that the server lists with nothing set, and below
/// `/_token/<token>/` with `redirects: rewrite`.
@Suite(.timeLimit(.minutes(4)), .enabled(if: PythonProgram.areThere, "\(PythonProgram.missing)"))
struct RealProgramTests {
    enum Way: Sendable, CaseIterable {
        case name
        case nameOverTLS
        /// The program is told its own name.
        case nameWithOwnHost
        case path
    }

    /// A server and a client in one process, and where callers find the program.
    private struct World {
        let agent: AgentProcess
        let port: Int
        /// Scheme, host and port, and what stands in front of paths.
        let front: String
        let path: String
        /// For curl.
        let options: [String]
        private let certificate: Certificate

        var url: String { front + path }

        /// - Parameter host: one that programs take for this machine where they look at it.
        init(_ way: Way, to origin: String, host: String) throws {
            let token = TunnelPair.token
            certificate = try Certificate(for: "DNS:\(host)")
            let tls = "tls: { certfile: \(certificate.path), keyfile: \(certificate.keyPath) }"
            let isSecure = way == .nameOverTLS
            let port = try freePort()
            agent = try AgentProcess(
                configuration: """
                    version: 1
                    servers:
                      - name: public
                        host: 127.0.0.1
                        port: \(port)
                        hosts: [{ host: \(host), token: \(token) }]
                        \(isSecure ? tls : "")
                    tunnels:
                      - name: web
                        tunnel: \(isSecure ? "wss" : "ws")://127.0.0.1:\(port)
                        server: \(origin)
                        token: \(token)
                        connections: 1
                        insecure: \(isSecure)
                        \(way == .nameWithOwnHost ? "host-header: origin" : "")
                        \(way == .path ? "redirects: rewrite" : "")
                    """)
            try agent.waitForSessions(1)
            self.port = port
            front = "\(isSecure ? "https" : "http")://\(host):\(port)"
            path = way == .path ? "/_token/\(token)" : ""
            options = ["--resolve", "\(host):\(port):127.0.0.1", "--cacert", certificate.path]
        }
    }

    // MARK: Django

    @Test(arguments: Way.allCases) func aFormOfDjangoIsPosted(_ way: Way) throws {
        let program = try PythonProgram(script: "django_form.py")
        let world = try World(way, to: program.url, host: "app.localhost")
        let folder = try TemporaryFolder()
        let kept = world.options + ["-b", folder.path(of: "jar"), "-c", folder.path(of: "jar")]
        let page = try curl(kept + ["\(world.url)/form/"])
        let secret = try #require(page.text.firstMatch(of: /csrfmiddlewaretoken" value="([A-Za-z0-9]+)"/)?.1)
        let post = kept + ["--data", "csrfmiddlewaretoken=\(secret)&word=hello", "\(world.url)/form/"]
        let own = ["-L", "-H", "Origin: \(world.front)", "-e", "\(world.url)/form/"]
        let done = try curl(own + post)
        #expect(done.text == "done hello hello\n", "\(done.text) \(done.standardError)")
        #expect(done.values["url_effective"] == "\(world.url)/done/?word=hello")
        let others = try curl(["-H", "Origin: http://evil.test"] + post)
        #expect(others.status == 403)
    }

    @Test(
        .enabled(
            if: Chromium.isThere, "no \(Chromium.path): apt-get install chromium"),
        .enabled(
            if: ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1",
            "slow: WSTUNNEL_SLOW_TESTS=1"), arguments: Way.allCases)
    func aBrowserPostsAFormOfDjango(_ way: Way) throws {
        let program = try PythonProgram(script: "django_form.py")
        let world = try World(way, to: program.url, host: "app.localhost")
        let folder = try TemporaryFolder()
        let running = try ChildProcess([
            Chromium.path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--no-proxy-server",
            "--ignore-certificate-errors", "--user-data-dir=\(folder.path)/profile",
            "--host-resolver-rules=MAP app.localhost 127.0.0.1", "--virtual-time-budget=20000", "--dump-dom",
            "\(world.url)/form/?sends",
        ])
        try running.waitForExit(within: .seconds(120))
        #expect(
            running.standardOutput.text.contains("done hello hello"),
            "\(running.standardOutput.text)\n\(world.agent.log.suffix(5))")
    }

    // MARK: Jupyter

    @Test(arguments: [Way.name, .nameWithOwnHost, .path]) func aCellOfJupyterRuns(_ way: Way) throws {
        let token = "jupyter-token"
        // By another name than this machine's it is to be told so, with a tunnel and without.
        let program = try PythonProgram(
            jupyterToken: token, options: way == .name ? ["--ServerApp.allow_remote_access=True"] : [])
        let world = try World(way, to: program.url, host: "caller.test")
        // As if sent to the default port: a WebSocketConnection does not name it either.
        let options = world.options + ["-H", "Host: caller.test"]
        let started = try curl(
            options + [
                "-X", "POST", "-H", "Authorization: token \(token)", "-H", "Origin: http://caller.test",
                "\(world.url)/api/kernels",
            ])
        #expect(started.status == 201, "\(started.text)")
        let id = try #require(started.text.firstMatch(of: /"id": *"([0-9a-f-]+)"/)?.1)
        let target = "\(world.path)/api/kernels/\(id)/channels"
        // Who comes with the token is believed from any page; who comes with a cookie, as browsers do, from its own alone.
        let jar = program.folder.path(of: "jar")
        let status = try curl(options + ["-c", jar, "\(world.url)/api/status?token=\(token)"])
        #expect(status.status == 200)
        let cookie = ("Cookie", try Self.cookies(in: String(contentsOfFile: jar, encoding: .utf8)))
        let socket = try WebSocketConnection(
            port: world.port, target: target, fields: [cookie, ("Origin", "http://caller.test")],
            limit: .seconds(60))
        try socket.send(.text(Self.cell("print(6 * 7)")))
        var isDone = false
        while !isDone {
            guard case .text(let message) = try socket.receive() else { continue }
            isDone = message.contains(#""text": "42\n""#) || message.contains(#""text":"42\n""#)
        }
        #expect(isDone)
        #expect(throws: TestFailure.self) {
            try WebSocketConnection(
                port: world.port, target: target, fields: [cookie, ("Origin", "http://evil.test")])
        }
    }

    /// In a browser, as people do.
    @Test(
        .enabled(if: Chromium.isThere, "no \(Chromium.path): apt-get install chromium"),
        .enabled(
            if: ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1",
            "slow: WSTUNNEL_SLOW_TESTS=1"), arguments: [Way.name, .path])
    func aNotebookOfJupyterLabRuns(_ way: Way) throws {
        let token = "jupyter-token"
        let program = try PythonProgram(
            "jupyter-lab", jupyterToken: token,
            options: ["--LabApp.expose_app_in_browser=True", "--ServerApp.allow_remote_access=True"])
        let world = try World(way, to: program.url, host: "lab.test")
        let browser = try Chromium(opening: "\(world.url)/lab?token=\(token)", localName: "lab.test")
        // The page is another one once it has loaded.
        while try browser.run("String(!!window.jupyterapp)") != "true" {}
        let output = try browser.run(
            """
            (async () => {
              const until = async look => {
                for (;;) {
                  const found = look();
                  if (found) return found;
                  await new Promise(done => setTimeout(done, 100));
                }
              };
              const lab = window.jupyterapp;
              await lab.started;
              const panel = await lab.commands.execute('notebook:create-new', { kernelName: 'python3' });
              await panel.context.ready;
              await panel.sessionContext.ready;
              panel.content.activeCell.model.sharedModel.setSource('print(6 * 7)');
              await lab.commands.execute('notebook:run-all-cells');
              return (await until(() => document.querySelector('.jp-OutputArea-output pre'))).textContent;
            })()
            """)
        #expect(output == "42\n", "\(world.agent.log.suffix(5))")
    }

    /// What a browser sends of what curl has kept.
    private static func cookies(in jar: String) -> String {
        jar.split(separator: "\n").map { $0.split(separator: "\t") }.filter { $0.count == 7 }
            .map { "\($0[5])=\($0[6])" }.joined(separator: "; ")
    }

    /// A message of Jupyter's that has code run.
    private static func cell(_ code: String) -> String {
        """
        {"channel": "shell", "buffers": [], "metadata": {}, "parent_header": {},
         "header": {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "u",
                    "version": "5.3", "date": "2026-01-01T00:00:00Z"},
         "content": {"code": "\(code)", "silent": false, "store_history": false,
                     "user_expressions": {}, "allow_stdin": false}}
        """
    }

    // MARK: WebDAV

    @Test(arguments: Way.allCases) func filesAreMovedAndLocked(_ way: Way) throws {
        let program = try PythonProgram(script: "webdav_folder.py")
        let world = try World(way, to: program.url, host: "app.localhost")
        let ask = { (method: String, path: String, more: [String]) in
            try curl(world.options + ["-X", method, "\(world.url)\(path)"] + more)
        }
        #expect(try ask("MKCOL", "/new", []).status == 201)
        #expect(try ask("PUT", "/new/a", ["--data-binary", "one"]).status == 201)
        let moved = try ask("MOVE", "/new/a", ["-H", "Destination: \(world.url)/new/b"])
        #expect(moved.status == 201, "\(moved.text)")
        #expect(try program.folder.text(of: "new/b") == "one")
        #expect(try ask("COPY", "/new/b", ["-H", "Destination: http://evil.test/new/c"]).status == 502)

        let wish = """
            <?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>\
            <locktype><write/></locktype></lockinfo>
            """
        let locked = try ask("LOCK", "/new/b", ["-H", "Content-Type: application/xml", "--data", wish, "-i"])
        #expect(locked.status == 200, "\(locked.text)")
        let lock = try #require(locked.text.firstMatch(of: /[Ll]ock-[Tt]oken: <([^>]+)>/)?.1)
        #expect(try ask("PUT", "/new/b", ["--data-binary", "two"]).status == 423)
        let held = "If: <\(world.url)/new/b> (<\(lock)>)"
        #expect(try ask("PUT", "/new/b", ["--data-binary", "three", "-H", held]).status == 204)
        #expect(try program.folder.text(of: "new/b") == "three")
    }

    @Test(arguments: [Way.name, .nameWithOwnHost]) func cadaverMovesAndLocks(_ way: Way) throws {
        let program = try PythonProgram(script: "webdav_folder.py")
        let world = try World(way, to: program.url, host: "localhost")
        let folder = try TemporaryFolder()
        let file = try folder.write("hello", to: "file")
        let script = try folder.write(
            """
            open \(world.url)/
            mkcol new
            cd new
            put \(file) a
            lock a
            unlock a
            move a b
            copy b c
            ls
            quit

            """, to: "script")
        let running = try ChildProcess(
            ["/usr/bin/cadaver", "-r", script], environment: ["HOME": folder.path, "PATH": "/usr/bin:/bin"])
        try running.waitForExit(within: .seconds(60))
        let told = running.standardOutput.text
        for word in [
            "Creating `new': succeeded", "Moving `/new/a' to `/new/b':  succeeded", "Locking `a': succeeded",
        ] {
            #expect(told.contains(word), "\(told)")
        }
        #expect(try program.folder.text(of: "new/b") == "hello")
        #expect(try program.folder.text(of: "new/c") == "hello")
    }
}
