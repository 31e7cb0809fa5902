// TunnelProtocolTests
