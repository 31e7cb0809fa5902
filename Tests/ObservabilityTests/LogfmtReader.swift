/// Reads a logfmt line back, strictly: what it does not understand is an error.
enum LogfmtReader {
    struct Malformed: Error { let rest: String }

    static func pairs(in line: String) throws -> [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = []
        var rest = Substring(line.dropLast())
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: "=") else { throw Malformed(rest: String(rest)) }
            let key = rest[..<equals]
            guard !key.contains(" ") else { throw Malformed(rest: String(rest)) }
            rest = rest[rest.index(after: equals)...]
            pairs.append((String(key), try value(&rest)))
        }
        return pairs
    }

    private static func value(_ rest: inout Substring) throws -> String {
        guard rest.unicodeScalars.first == "\"" else {
            let value = rest.prefix { $0 != " " }
            rest = rest[value.endIndex...].dropFirst()
            return String(value)
        }
        var scalars = rest.unicodeScalars.dropFirst()
        var value = String.UnicodeScalarView()
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\"":
                if let next = scalars.popFirst(), next != " " { throw Malformed(rest: String(rest)) }
                rest = Substring(scalars)
                return String(value)
            case "\\":
                guard let escaped = scalars.popFirst() else { throw Malformed(rest: String(rest)) }
                switch escaped {
                case "n": value.append("\n")
                case "r": value.append("\r")
                case "t": value.append("\t")
                case "u":
                    let digits = String(String.UnicodeScalarView(scalars.prefix(4)))
                    scalars = scalars.dropFirst(4)
                    guard let code = UInt32(digits, radix: 16), let decoded = Unicode.Scalar(code) else {
                        throw Malformed(rest: String(rest))
                    }
                    value.append(decoded)
                default: value.append(escaped)
                }
            default: value.append(scalar)
            }
        }
        throw Malformed(rest: String(rest))
    }
}
