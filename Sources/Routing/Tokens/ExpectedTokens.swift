/// Of which tokens tunnel clients are expected.
package enum ExpectedTokens: Sendable {
    /// Those that the configuration names.
    case listed
    case every
}
