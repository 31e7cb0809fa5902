/// Why a tunnel client may not come in.
package enum AdmissionError: Error, Hashable, Sendable {
    // Its handshake makes no sense.
    case notGET
    case notPOST
    /// No `Origin`, where the token stands.
    case tokenMissing
    case tokenTooShort
    case tokenMalformed
    case notWebSocket

    /// The password is missing or wrong, or the token is not listed.
    case unauthorized
    /// No certificate was shown, and one has to be.
    case certificateMissing
    /// The certificate's name may not serve the token.
    case certificateNotAllowed
    /// Too many wrong passwords came before: this one was not looked at.
    case tooManyFailures

    // There is no room for its session.
    case tooManySessions
    case tooManySessionsOfToken
    case tooManySessionsFromAddress
}
