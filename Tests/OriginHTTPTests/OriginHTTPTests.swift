// OriginHTTPTests
