// TunnelClientTests
