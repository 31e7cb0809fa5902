// TunnelProtocol
