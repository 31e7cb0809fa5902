import TunnelProtocol

/// `limits`.
extension ConfigurationRendering {
    static func write(_ limits: CallerLimits, to text: inout ConfigurationText) {
        text.line(4, "\(LimitKeys.limits.name):")
        text.entry(6, LimitKeys.enforce, plain: limits.isEnforced)
        if limits.connectionsPerAddress != nil || !limits.perAddress.isEmpty {
            text.line(6, "\(LimitKeys.perAddress.name):")
            text.entry(8, LimitKeys.connections, plain: limits.connectionsPerAddress)
            write(limits.perAddress, 8, to: &text)
        }
        if !limits.perName.isEmpty { write(limits.perName, 6, LimitKeys.perName, to: &text) }
        if !limits.perToken.isEmpty { write(limits.perToken, 6, LimitKeys.perToken, to: &text) }
        text.entry(6, LimitKeys.headTimeout, limits.headTimeout)
        if let pace = limits.bodyPace {
            text.entry(6, LimitKeys.bodyRate, plain: ByteCountText.format(pace.bytesPerSecond))
            text.entry(6, LimitKeys.bodyTimeout, pace.patience)
        }
    }

    /// Nothing where there are none.
    static func write(
        _ limits: RequestLimits?, _ indentation: Int, _ key: KeyDeclaration, to text: inout ConfigurationText
    ) {
        guard let limits else { return }
        guard !limits.isEmpty else { return text.line(indentation, "\(key.name): {}") }
        text.line(indentation, "\(key.name):")
        write(limits, indentation + 2, to: &text)
    }

    private static func write(_ limits: RequestLimits, _ indentation: Int, to text: inout ConfigurationText) {
        text.entry(indentation, LimitKeys.requests, plain: limits.requests)
        if let rate = limits.requestRate {
            text.entry(indentation, LimitKeys.requestsPerSecond, plain: rate.perSecond)
            text.entry(indentation, LimitKeys.requestsBurst, plain: rate.burst)
        }
        if let rate = limits.byteRate {
            text.entry(
                indentation, LimitKeys.bytesPerSecond, plain: ByteCountText.format(rate.perSecond))
            text.entry(indentation, LimitKeys.bytesBurst, plain: ByteCountText.format(rate.burst))
        }
        text.entry(
            indentation, LimitKeys.bytesPerMonth, plain: limits.bytesPerMonth.map(ByteCountText.format))
    }
}
