import Testing

@testable import NameResolution

/// Descriptors that who dials leaves alone.
@Suite struct DescriptorRoomTests {
    @Test(arguments: [(40, 4), (64, 4), (128, 8), (1024, 32), (1 << 20, 32)])
    func aFewAreKept(_ limit: Int, _ kept: Int) {
        #expect(DescriptorRoom.kept(of: limit) == kept)
    }

    @Test func aProcessThatHasFewOpenHasRoom() { #expect(DescriptorRoom.isThere) }
}
