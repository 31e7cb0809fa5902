extension ConfigurationRendering {
    static func writeOrigins(of tunnel: TunnelClientConfiguration, to text: inout ConfigurationText) {
        if tunnel.origins.count > 1 {
            let origins = tunnel.origins.map { ConfigurationText.quoted($0.shown) }.joined(separator: ", ")
            text.line(4, "\(Keys.server.declaration.name): [\(origins)]")
        } else {
            text.entry(4, Keys.server, text: tunnel.origin?.shown)
        }
        text.entry(4, HealthKeys.balance, plain: tunnel.balance.rawValue)
        guard let health = tunnel.health else { return }
        text.line(4, "\(HealthKeys.health.name):")
        text.entry(6, HealthKeys.path, text: health.path)
        text.entry(6, HealthKeys.every, health.interval)
        text.entry(6, HealthKeys.timeout, health.timeout)
        text.entry(6, HealthKeys.fall, plain: health.fall)
        text.entry(6, HealthKeys.rise, plain: health.rise)
        text.entry(6, HealthKeys.status, text: HealthKeys.format(health.statuses))
    }
}
