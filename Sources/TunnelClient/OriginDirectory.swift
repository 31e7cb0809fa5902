import HTTPMessage
import OriginHTTP
import Synchronization
import TunnelConfiguration

/// The origins of one tunnel: the configured one, and those that callers named by `X-Host`.
final class OriginDirectory: Sendable {
    /// Origins named by `X-Host` that are kept; the pattern decides how many there can be, callers which.
    private static let mostNamed = 64

    private struct Named {
        var origins: [OriginAddress: HTTPOrigin] = [:]
        var order: [OriginAddress] = []
        var areRetired = false
    }

    private let rules: OriginRules
    private let configured: (any Origin)?
    private let basePath: String
    private let tls: OriginTLS
    private let named = Mutex(Named())

    /// - Parameter tls: whom to trust over https.
    /// - Throws: `OriginTLSError` when the configured origin needs it, and it cannot be used. May read the system's roots:
    ///   not for event loops.
    init(_ configuration: TunnelClientConfiguration, tls: OriginTLS) throws(OriginTLSError) {
        rules = OriginRules(
            hasOrigin: configuration.origin != nil, pattern: configuration.hostPattern)
        self.tls = tls
        switch configuration.origin {
        case .web(let url):
            let address = OriginAddress(isSecure: url.isSecure, host: url.host, port: url.port)
            if url.isSecure { try tls.load() }
            configured = HTTPOrigin(address, tls: tls)
            basePath = url.basePath
        case .echo:
            configured = EchoOrigin()
            basePath = ""
        case .folder(let path):
            configured = FileOrigin(folder: path)
            basePath = ""
        case nil:
            configured = nil
            basePath = ""
        }
    }

    /// Where a request goes, and the request as it goes there; or the words of a refusal.
    func origin(for request: RequestHead) -> Result<(any Origin, RequestHead), OriginRefusal> {
        var request = request
        let choice = rules.choose(request.fields)
        request.fields.remove(.xHost)
        request.fields.remove(.xToken)
        switch choice {
        case .configured:
            guard let configured else { return .failure(OriginRefusal(status: 403, words: "no origin")) }
            if request.target.hasPrefix("/") { request.target = basePath + request.target }
            return .success((configured, request))
        case .named(let address):
            return .success((named(address), request))
        case .refused(let words):
            return .failure(OriginRefusal(status: 403, words: words))
        }
    }

    /// Another directory has taken its place: connections that wait for a request are closed. Exchanges under way go on.
    func retire() {
        configured?.retire()
        let origins = named.withLock { named in
            named.areRetired = true
            return Array(named.origins.values)
        }
        for origin in origins { origin.retire() }
    }

    private func named(_ address: OriginAddress) -> any Origin {
        named.withLock { named in
            if let origin = named.origins[address] { return origin }
            let origin = HTTPOrigin(address, tls: tls)
            if named.areRetired { origin.retire() }
            named.origins[address] = origin
            named.order.append(address)
            if named.order.count > Self.mostNamed {
                named.origins.removeValue(forKey: named.order.removeFirst())?.retire()
            }
            return origin
        }
    }
}

/// Why a request goes to no origin.
struct OriginRefusal: Error {
    var status: Int
    var words: String
}
