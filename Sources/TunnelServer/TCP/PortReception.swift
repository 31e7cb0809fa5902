import AgentStatus
import HTTPMessage
import HTTPServing
import HostSystem
import NIOCore
import Observability
import ProxyProtocol
import Routing
import TunnelConfiguration
import TunnelProtocol

/// What a connection to a port of plain TCP is for, and who connects.
final class PortReception: RawReception, ProxiedReception {
    private let core: ServerCore
    private let listener: Int
    /// As they were when the connection came.
    private let settings: ServerSettings
    private let port: TCPPort
    private var peer = "unknown"
    /// Who a trusted proxy says has connected; nil where none says so.
    private var source: ProxyEndpoint?

    /// - Parameters:
    ///   - listener: by which the connection came.
    ///   - port: as `settings` have it.
    init(core: ServerCore, listener: Int, settings: ServerSettings, port: TCPPort) {
        self.core = core
        self.listener = listener
        self.settings = settings
        self.port = port
    }

    /// The handler of the connection. Called on its event loop.
    func makeHandler(on eventLoop: any EventLoop) -> RawCallerHandler {
        RawCallerHandler(
            on: eventLoop, limits: core.limits.connection, budget: core.budget, reception: self)
    }

    func isCalled(from source: ProxyEndpoint) { self.source = source }

    var stall: TimeAmount { settings.times.stall }

    func welcome(_ connection: RawCallerHandler, on channel: any Channel) -> (any ServedExchange)? {
        if let text = source?.addressText ?? channel.remoteAddress?.ipAddress { peer = text }
        let now = connection.eventLoop.now
        let loopIndex = core.index(of: connection.eventLoop)
        let local = channel.localAddress
        let observer = core.observer(on: loopIndex)
        var record = core.makeRecord(
            "TCP", path: ":\(local?.port ?? 0)", tokenHint: port.token.hint, caller: peer,
            observer: observer, certificateName: nil, now: now)
        guard port.takes(peer), core.bans.timeLeft(of: peer) == nil else {
            observer.refused(port.takes(peer) ? .banned : .addressNotAllowed)
            record.finish(.answeredHere, now: now)
            return nil
        }
        let caller = ConnectionTable.Caller(
            eventLoop: connection.eventLoop, listener: listener,
            connection: NIOLoopBound(connection, eventLoop: connection.eventLoop))
        guard !core.isStopping else {
            observer.refused(.stopping)
            record.finish(.shutdown, now: now)
            return nil
        }
        guard !core.pause.isPaused, !core.blocked.contains(port.token) else {
            observer.refused(core.pause.isPaused ? .paused : .tokenBlocked)
            record.finish(.answeredHere, now: now)
            return nil
        }
        guard !core.gauge.refusesRequests else {
            observer.refused(.overloaded)
            record.matters(.debug)
            record.finish(.answeredHere, now: now)
            return nil
        }
        let pass: RequestPass?
        do throws(Refusal) {
            pass = try core.meter.admit(
                settings.limitedParties(to: port.token, from: peer), of: port.token, from: peer,
                settings.callerLimits)
        } catch {
            observer.refused(error.code)
            record.finish(.answeredHere, now: now)
            return nil
        }
        let entry = core.connections.enter(
            ObjectIdentifier(connection), caller, address: AddressGroup(peer),
            most: settings.connectionsPerAddress(from: peer) ?? core.limits.callersPerAddress)
        if case .isRefused(let refusal, _) = entry {
            pass?.leave()
            observer.refused(refusal.code)
            core.tell("Connection refused", refusal, from: peer)
            record.finish(.answeredHere, now: now)
            return nil
        }
        let request = RawStream.request(
            caller: source.map { hostAndPort($0.addressText, Int($0.port)) }
                ?? Self.text(of: channel.remoteAddress) ?? peer, local: Self.text(of: local))
        return CallerExchange(
            core: core, settings: settings, loopIndex: loopIndex, stream: connection, token: port.token,
            request: request, forwarding: nil, framing: .none, record: record,
            idle: port.idle.map { TimeAmount($0) }, pass: pass)
    }

    func left(_ connection: any CallerConnection) {
        core.connections.leave(ObjectIdentifier(connection), address: AddressGroup(peer))
    }

    private static func text(of address: SocketAddress?) -> String? {
        guard let address, let host = address.ipAddress, let port = address.port else { return nil }
        return hostAndPort(host, port)
    }
}
