// TunnelTransportTests
