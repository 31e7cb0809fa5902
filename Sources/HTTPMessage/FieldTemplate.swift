/// What is known of a request that a field may repeat.
package struct FieldFacts: Hashable, Sendable {
    /// Who calls, IPv6 without brackets.
    package var clientAddress: String
    /// The request's own name, 128 random bits or what a trusted proxy called it; nil where it has none.
    package var requestID: String?
    /// As the request names it, port included.
    package var host: String?
    /// In the certificate that the caller has shown.
    package var certificateName: String?
    /// `http` or `https`, as the caller speaks it with us.
    package var scheme: String
    /// Who has logged in.
    package var user: String?

    package init(
        clientAddress: String, requestID: String? = nil, host: String? = nil, certificateName: String? = nil,
        scheme: String = "http", user: String? = nil
    ) {
        self.clientAddress = clientAddress
        self.requestID = requestID
        self.host = host
        self.certificateName = certificateName
        self.scheme = scheme
        self.user = user
    }
}

/// The value of a field as a configuration has it: a text with `{variables}` in it. A brace that means itself is doubled.
///
/// No value can become more than one field: neither the text nor what stands in for a variable has control characters.
package struct FieldTemplate: Hashable, Sendable {
    /// What may stand between braces.
    package enum Variable: String, CaseIterable, Sendable {
        case clientAddress = "client-address"
        case requestID = "request-id"
        case host
        case certificateName = "certificate-name"
        case scheme
        case user
    }

    /// Why a text is no value.
    package enum Fault: Error, Hashable, Sendable {
        case empty
        /// Longer than `longest`.
        case tooLong
        /// It has a control character, or white space around it.
        case notPrintable
        /// A brace is not closed, or none is open.
        case loneBrace
        case unknownVariable(String)
    }

    /// In bytes.
    package static let longest = 4096

    private enum Part: Hashable, Sendable {
        case text(String)
        case variable(Variable)
    }

    /// As it was written.
    package let source: String
    private let parts: [Part]

    package init(_ source: String) throws(Fault) {
        guard !source.isEmpty else { throw .empty }
        guard source.utf8.count <= Self.longest else { throw .tooLong }
        guard Self.isPrintable(source) else { throw .notPrintable }
        self.source = source
        parts = try Self.parts(of: source)
    }

    /// Whether it repeats that.
    package func uses(_ variable: Variable) -> Bool { parts.contains(.variable(variable)) }

    /// Whether it repeats anything of a request.
    package var hasVariables: Bool { Variable.allCases.contains(where: uses) }

    /// The value for a request; empty where it is of variables alone of which none is known.
    package func text(_ facts: FieldFacts) -> String {
        if parts.count == 1, case .text(let text) = parts[0] { return text }
        var text = ""
        for part in parts {
            switch part {
            case .text(let part): text += part
            case .variable(let variable):
                guard let value = facts[variable], Self.isPrintable(value) else { continue }
                text += value
            }
        }
        return text
    }

    private static func isPrintable(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, let last = bytes.last else { return true }
        return first != 0x20 && last != 0x20 && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }

    private static func parts(of source: String) throws(Fault) -> [Part] {
        var parts: [Part] = []
        var text = ""
        var rest = source[...]
        while let character = rest.popFirst() {
            guard character == "{" || character == "}" else {
                text.append(character)
                continue
            }
            if rest.first == character {
                text.append(character)
                rest.removeFirst()
                continue
            }
            guard character == "{", let end = rest.firstIndex(of: "}") else { throw .loneBrace }
            let name = String(rest[..<end])
            guard let variable = Variable(rawValue: name) else { throw .unknownVariable(name) }
            if !text.isEmpty { parts.append(.text(text)) }
            text = ""
            parts.append(.variable(variable))
            rest = rest[rest.index(after: end)...]
        }
        if !text.isEmpty { parts.append(.text(text)) }
        return parts
    }
}

extension FieldFacts {
    fileprivate subscript(variable: FieldTemplate.Variable) -> String? {
        switch variable {
        case .clientAddress: clientAddress
        case .requestID: requestID
        case .host: host
        case .certificateName: certificateName
        case .scheme: scheme
        case .user: user
        }
    }
}
