// TunnelConfigurationTests
