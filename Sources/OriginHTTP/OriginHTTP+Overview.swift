// OriginHTTP
