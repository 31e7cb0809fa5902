import NIOCore

/// Messages as they really come.
enum Texts {
    /// A head as written here, each line ended by CRLF, and the empty line.
    static func head(_ lines: String) -> ByteBuffer {
        ByteBuffer(string: lines.split(separator: "\n").joined(separator: "\r\n") + "\r\n\r\n")
    }

    static let token = "b1d3f7a9c5e24680-office"

    static let curlRequest = head(
        """
        GET /api/v1/items?limit=20 HTTP/1.1
        Host: tunnel.example.com:8080
        User-Agent: curl/7.88.1
        Accept: */*
        X-Token: \(token)
        """)

    static let browserRequest = head(
        """
        GET /dashboard/index.html?tab=overview HTTP/1.1
        Host: tunnel.example.com
        Connection: keep-alive
        sec-ch-ua: "Chromium";v="126", "Not-A.Brand";v="8"
        sec-ch-ua-mobile: ?0
        sec-ch-ua-platform: "Linux"
        Upgrade-Insecure-Requests: 1
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8
        Sec-Fetch-Site: same-origin
        Sec-Fetch-Mode: navigate
        Sec-Fetch-User: ?1
        Sec-Fetch-Dest: document
        Referer: https://tunnel.example.com/dashboard/
        Accept-Encoding: gzip, deflate, br, zstd
        Accept-Language: en-GB,en;q=0.9,de;q=0.8
        Cookie: session=eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoxMjM0fQ; theme=dark
        X-Token: \(token)
        """)

    static func upload(_ bodyBytes: Int) -> ByteBuffer {
        head(
            """
            PUT /files/report.pdf HTTP/1.1
            Host: tunnel.example.com:8080
            User-Agent: curl/7.88.1
            Accept: */*
            Content-Length: \(bodyBytes)
            """)
    }

    static func response(_ bodyBytes: Int) -> ByteBuffer {
        head(
            """
            HTTP/1.1 200 OK
            Server: nginx/1.22.1
            Date: Sat, 31 Jan 2026 12:00:00 GMT
            Content-Type: application/json
            Content-Length: \(bodyBytes)
            Last-Modified: Fri, 30 Jan 2026 09:30:00 GMT
            Connection: keep-alive
            ETag: "65ba1234-400"
            Accept-Ranges: bytes
            """)
    }

    /// Bytes of a body, never the same in a row.
    static func body(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
    }
}
