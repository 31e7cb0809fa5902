// TunnelConfiguration
