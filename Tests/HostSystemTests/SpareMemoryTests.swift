import Testing

@testable import HostSystem

struct SpareMemoryTests {
    private static let mebibyte = 1 << 20

    @Test func whatABusyTimeLeftIsReturnedOnce() {
        var memory = SpareMemory()
        #expect(!memory.isWorthReturning(resident: 20 * Self.mebibyte) { 15 * Self.mebibyte })
        #expect(memory.isWorthReturning(resident: 150 * Self.mebibyte) { 120 * Self.mebibyte })
        memory.returned(resident: 30 * Self.mebibyte)
        // What the allocator counts as unused has gone from memory all the same.
        #expect(!memory.isWorthReturning(resident: 31 * Self.mebibyte) { 120 * Self.mebibyte })
        #expect(memory.isWorthReturning(resident: 60 * Self.mebibyte) { 40 * Self.mebibyte })
    }

    @Test func whatIsInUseIsLeftAlone() {
        var memory = SpareMemory()
        #expect(!memory.isWorthReturning(resident: 20 * Self.mebibyte) { 0 })
        #expect(!memory.isWorthReturning(resident: 150 * Self.mebibyte) { 60 * Self.mebibyte })
        #expect(!memory.isWorthReturning(resident: 38 * Self.mebibyte) { 15 * Self.mebibyte })
    }

    @Test func theAllocatorIsNotAskedWhileTheProcessHasNotGrown() {
        var memory = SpareMemory()
        for resident in [100, 90, 100, 105] {
            #expect(
                !memory.isWorthReturning(resident: resident * Self.mebibyte) {
                    Issue.record("asked at \(resident) MiB")
                    return 100 * Self.mebibyte
                })
        }
    }

    @Test func theSystemTellsHowMuchOfTheProcessIsInMemory() throws {
        let bytes = try #require(SpareMemory.residentBytes())
        #expect(bytes > Self.mebibyte && bytes < 1 << 40)
        let own = try #require(SpareMemory.ownBytes())
        #expect(own > Self.mebibyte && own < bytes)
    }
}
