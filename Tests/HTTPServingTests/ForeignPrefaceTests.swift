import Testing

@testable import HTTPServing

/// Connections that are meant for another kind of port.
@Suite struct ForeignPrefaceTests {
    @Test(arguments: [
        ([UInt8]([22, 3, 1, 2, 0, 1, 0]), ForeignPreface.tls), ([22, 3], .tls),
        (Array("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n".utf8), .proxyProtocol),
        (Array("PROXY UNKNOWN\r\n".utf8), .proxyProtocol),
        ([13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12], .proxyProtocol),
    ])
    func whatIsSpokenInsteadIsRecognised(_ bytes: [UInt8], _ preface: ForeignPreface) {
        #expect(ForeignPreface(bytes) == preface)
    }

    @Test(arguments: [
        "", "PROPFIND / HTTP/1.1\r\n", "PROXY / HTTP/1.1\r\n", "PROXY * HTTP/1.1\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\n", "PROXYTCP4",
        "\u{16}",
    ])
    func nothingElseIs(_ text: String) {
        #expect(ForeignPreface(Array(text.utf8)) == nil)
    }
}
