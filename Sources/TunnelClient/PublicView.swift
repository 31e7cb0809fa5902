package import HTTPMessage

/// What is kept of a request whose answer is to speak of the origin as callers see it.
package final class PublicView: Sendable {
    private let place: PublicPlace
    private let origin: URLMapping.Origin
    private let serverPath: String
    /// The request's target.
    private let asked: String

    init(_ place: PublicPlace, _ origin: URLMapping.Origin, serverPath: String, asked: String) {
        self.place = place
        self.origin = origin
        self.serverPath = serverPath
        self.asked = asked
    }

    /// Nil where what callers use is no URL.
    private var mapping: URLMapping? {
        URLMapping(place, origin, serverPath: serverPath, asked: asked)
    }

    /// Makes where the caller was a page of the origin.
    func rewrite(_ request: inout RequestHead) {
        guard request.fields.speakOfCallersPage, let mapping else { return }
        request.fields.makeOrigins(mapping)
    }

    /// Most answers have nothing in them that has to follow.
    package func rewrite(_ answer: inout ResponseHead) {
        guard answer.fields.speakOfOrigin, let mapping else { return }
        answer.fields.makePublic(mapping)
    }
}
