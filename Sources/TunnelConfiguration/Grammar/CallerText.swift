import HTTPMessage
import TunnelProtocol

/// Texts of `callers`.
enum CallerText {
    /// Longest name of a user, in bytes.
    private static let longestUser = 128

    /// Reads `name:hash`.
    ///
    /// - Throws: never with the hash in the message.
    static func user(_ text: String) throws(ValueFault) -> (name: String, hash: PasswordHash) {
        guard let colon = text.firstIndex(of: ":") else {
            throw ValueFault(
                "there is no name:hash", advice: "\"wstunnel hash NAME\" and \"htpasswd -nB NAME\" print one")
        }
        let name = String(text[..<colon])
        guard !name.isEmpty, name.utf8.count <= longestUser,
            name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }),
            name.first != " ", name.last != " "
        else {
            throw ValueFault(
                "what stands before the colon is no name of a user",
                advice: "choose one of 1 to \(longestUser) characters, with no white space around it")
        }
        return (name, try PasswordHash.parse(String(text[text.index(after: colon)...])))
    }

    /// A secret that `Authorization: Bearer` brings (RFC 6750 §2.1, but for the letters: any that are visible).
    static func bearer(_ text: String) throws(ValueFault) -> String {
        do {
            return try RendezvousToken(text).secret
        } catch {
            let length = "\(RendezvousToken.minimumLength) to \(RendezvousToken.maximumLength)"
            throw ValueFault(
                "the secret is no \(length) visible ASCII characters",
                advice: "\"openssl rand -hex 20\" makes one")
        }
    }

    static func method(_ text: String) throws(ValueFault) -> String {
        guard FieldChanges.isName(text), text.utf8.count <= 32 else {
            throw ValueFault("\(Quotation.of(text)) is no method", advice: "write one like GET or POST")
        }
        guard !text.utf8.contains(where: { (0x61...0x7a).contains($0) }) else {
            throw ValueFault(
                "\(Quotation.of(text)) has small letters, which count",
                advice: "write \(text.uppercased())")
        }
        return text
    }

    static func explanation(of fault: FieldTemplate.Fault) -> ValueFault {
        let variables = FieldTemplate.Variable.allCases.map { "{\($0.rawValue)}" }.joined(separator: ", ")
        return switch fault {
        case .empty: ValueFault("there is no value", advice: "give one, or put the name under \"remove\"")
        case .tooLong:
            ValueFault("the value is too long", advice: "keep it to \(FieldTemplate.longest) bytes")
        case .notPrintable:
            ValueFault(
                "the value has a control character, or white space around it",
                advice: "write it in one line, without")
        case .loneBrace:
            ValueFault(
                "a brace stands alone",
                advice: "write {{ or }} for one that means itself, or one of \(variables)")
        case .unknownVariable(let name):
            ValueFault(
                "\(Quotation.of("{\(name)}")) is no variable",
                advice: "write one of \(variables); a brace that means itself is doubled")
        }
    }

    /// What does what changing one of our fields was meant for.
    static func advice(forOurs name: String) -> String {
        switch name.lowercased().replacing("_", with: "-") {
        case "host": "\"host-header\" of the tunnel says what Host is"
        case "x-request-id": "request-id: true makes one"
        case "x-client-certificate-name": "\"client-certificate-header\" in \"tls\" of the server sends it"
        case "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded":
            "\"trusted-proxies\" of the server says whose words count"
        default: "remove it"
        }
    }
}
