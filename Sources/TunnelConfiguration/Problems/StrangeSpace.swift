/// White space that looks like a space and is none for YAML: it comes along with what is copied from a web page.
enum StrangeSpace {
    /// What to do about the first one in a line, or nil: there is none.
    static func advice(in line: String) -> String? {
        for (index, scalar) in line.unicodeScalars.enumerated() {
            guard let name = name(of: scalar) else { continue }
            let code = String(scalar.value, radix: 16, uppercase: true)
            let zeros = String(repeating: "0", count: max(0, 4 - code.count))
            return "column \(index + 1) holds a \(name) (U+\(zeros)\(code)): put a plain space in its place"
        }
        return nil
    }

    private static func name(of scalar: Unicode.Scalar) -> String? {
        switch scalar.value {
        case 0xa0, 0x2007, 0x202f: "no-break space"
        case 0x1680, 0x2000...0x200a, 0x205f, 0x3000: "space that is none of YAML's"
        case 0x200b, 0x2060, 0xfeff: "space without width"
        default: nil
        }
    }
}
