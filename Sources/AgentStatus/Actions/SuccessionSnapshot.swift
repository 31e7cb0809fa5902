/// What an agent that is taken over from tells its successor beside its bans. For the control socket alone.
package struct SuccessionSnapshot: Codable, Hashable, Sendable {
    package struct BlockedToken: Codable, Hashable, Sendable {
        /// Of the salt and the token, in hexadecimal: the token is not kept.
        package var digest: String
        package var block: BlockedTokenSnapshot

        package init(digest: String, block: BlockedTokenSnapshot) {
            self.digest = digest
            self.block = block
        }
    }

    package var paused: [PauseSnapshot]
    /// Of all digests, in hexadecimal.
    package var salt: String
    package var blocked: [BlockedToken]

    package init(paused: [PauseSnapshot] = [], salt: String = "", blocked: [BlockedToken] = []) {
        self.paused = paused
        self.salt = salt
        self.blocked = blocked
    }
}
