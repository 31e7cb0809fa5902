/// A set of known field names, a bit for each.
package struct FieldNameSet: Sendable, Hashable, ExpressibleByArrayLiteral {
    private var bits: UInt64 = 0

    package init() {}

    package init(arrayLiteral names: FieldName...) {
        for name in names { bits |= 1 << UInt64(name.rawValue) }
    }

    package func contains(_ name: FieldName) -> Bool { bits >> UInt64(name.rawValue) & 1 == 1 }
}
