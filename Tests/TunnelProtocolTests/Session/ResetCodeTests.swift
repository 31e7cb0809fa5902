import Testing

@testable import TunnelProtocol

/// Why streams end: what crosses the wire, and what only the near side is told.
@Suite struct ResetCodeTests {
    @Test(arguments: ResetCode.allCases) func aCodeThatCameIsToldAsItIs(_ code: ResetCode) {
        #expect("\(StreamTermination(code))" == "\(code)")
        #expect(ResetCode(wire: code.rawValue) == code)
    }

    /// The numbers behind those of the wire once stood for ends that only the near side knows.
    @Test(arguments: [7, 8, 9, 10, .max] as [UInt32]) func anyOtherNumberIsAnInternalError(_ number: UInt32) {
        #expect(ResetCode(wire: number) == .internalError)
    }
}
