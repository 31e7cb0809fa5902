// TunnelServerTests
