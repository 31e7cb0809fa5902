/// Keys of the files of other tunnels and of compose files: what says the same here.
enum ForeignKeys {
    /// - Parameter key: as it is written; letter case, `-` and `_` do not count.
    /// - Returns: an advice; nil for a key that none of them has.
    static func advice(for key: String, in section: ConfigurationSection) -> String? {
        let folded = NearMiss.folded(key)
        if section == .tunnelInnerTLS, unverified.contains(folded) {
            return "remove it: what stands inside is always verified, by \"pin-sha256\" or \"certfile\""
        }
        if section == .hostEntry, folded == Array("default".utf8) {
            return "every host that has no entry of its own is host: \"*\""
        }
        return advices[folded]
    }

    /// What leaves certificates unverified, here and elsewhere.
    private static let unverified = Set(
        (["insecure"] + unverifiedElsewhere.split(separator: " ")).map { Array($0.utf8) })
    private static let unverifiedElsewhere =
        "notlsverify tlsskipverify insecureskipverify insecuretls skipverify verifyupstreamtls sslverify tlsverify"

    private static let advices: [[UInt8]: String] = {
        var advices: [[UInt8]: String] = [:]
        for (keys, advice) in table {
            for key in keys.split(separator: " ") { advices[Array(key.utf8)] = advice }
        }
        return advices
    }()

    /// Keys folded as `NearMiss` does.
    private static let table: [(keys: String, advice: String)] = [
        (
            "serveraddr serverport serverurl tunnelserver remote remoteaddr endpoint",
            "the tunnel server stands in \"tunnel\" of a tunnel: ws://host:port or wss://host:port"
        ),
        (
            "localip localport localaddr localhost localurl addr url upstream service target backend origin",
            "the web server stands in \"server\" of a tunnel: http://host:port"
        ),
        (
            "hostname hostnames subdomain customdomains customdomain domain domains ingress rules",
            "\"hosts\" of a server sends the requests for a host to a token: - { host: www.example.com, token-file: … }; "
                + "those of a tunnel ask the server for names"
        ),
        (
            "remoteport",
            "a tunnel has no port of its own: callers name its token, or \"hosts\" of the server does"
        ),
        (
            "authtoken auth authentication tunneltoken privilegetoken apikey credentials",
            "what names a tunnel is \"token\", \"token-file\" or \"token-command\""
        ),
        ("credentialsfile tokenpath", "the file of a secret stands in \"token-file\" or \"password-file\""),
        ("basicauth", "user:password@ before the host in \"tunnel\" is for what stands before the server"),
        (unverifiedElsewhere, "insecure: true leaves certificates unverified"),
        (
            "capool cafile cacert ca rootca trustedcafile tlstrustedcafile",
            "further certificates to trust stand in \"certfile\" of a tunnel"
        ),
        (
            "ssl tlscert tlskey crt cert key keyfile tlscertfile tlskeyfile sslcert sslkey tlsenable sslcertificate "
                + "sslcertificatekey https",
            "a server speaks TLS by tls: { certfile: …, keyfile: … }; a tunnel by wss:// in \"tunnel\""
        ),
        (
            "bindaddr bindaddress listenaddr bind address",
            "where a server listens stands in \"host\" and \"port\""
        ),
        ("bindport listenport vhosthttpport httpport", "where a server listens stands in \"port\""),
        ("proxies visitors endpoints", "the tunnels are a list: tunnels: with an entry - name: … for each"),
        (
            "loglevel logformat logfile logto",
            "what is logged stands in log: { level: …, format: …, file: … }"
        ),
        (
            "webaddr webserver dashboardport dashboardaddr metrics inspect",
            "the API of the agent is admin: { listen: …, token-file: … }"
        ),
        (
            "heartbeattimeout heartbeatinterval keepalive keepalivetimeout pinginterval pingtimeout",
            "how long a silent peer is waited for stands in \"timeout\" of a tunnel and \"wstimeout\" of a server"
        ),
        (
            "poolcount maxpoolcount haconnections",
            "how many connections a tunnel has stands in \"connections\""
        ),
        ("httpproxy httpsproxy proxyurl", "the proxy to dial through stands in \"proxy\" of a tunnel"),
        (
            "clientcert clientcertfile clientkeyfile mtls",
            "what a tunnel shows to its server stands in \"client-certificate\" and \"client-key\""
        ),
        (
            "sni servername tlsservername originservername",
            "the name that a certificate is for stands in \"server-name\", for origins in \"origin-tls\""
        ),
        (
            "longpoll longpolling polling http2transport websocket websockets wsfallback fallback carrier",
            "what carries a tunnel stands in its \"transport\": auto, websocket or longpoll; a server takes both, unless "
                + "longpoll: false"
        ),
        ("graceperiod", "the time for what is in flight stands in \"shutdown-grace\""),
        ("proto protocols type scheme", "remove it: the schemes of \"tunnel\" and \"server\" say it"),
        (
            "dotfiles hidden showhidden servehidden",
            "hidden-files: true serves files whose names begin with a dot"
        ),
        (
            "critical mandatory essential mustbeup readiness ready",
            "required: true: the agent is ready only while this tunnel is up"
        ),
        ("originrequest", "what stands in it are keys of the tunnel itself here, such as insecure: true"),
        (
            "services image ports environment envfile volumes command entrypoint build restart dependson containername "
                + "networks",
            "it is a key of compose files: this file is what wstunnel --config reads"
        ),
    ]
}
