/// A set of known field names, a bit for each.
package struct FieldNameSet: Sendable, Hashable, ExpressibleByArrayLiteral {
    private var bits: UInt64 = 0

    package init() {}

    package init(arrayLiteral names: FieldName...) {
        for name in names { insert(name) }
    }

    package func contains(_ name: FieldName) -> Bool { bits >> UInt64(name.rawValue) & 1 == 1 }

    mutating func insert(_ name: FieldName) { bits |= 1 << UInt64(name.rawValue) }

    mutating func formUnion(_ others: FieldNameSet) { bits |= others.bits }

    func isDisjoint(with others: FieldNameSet) -> Bool { bits & others.bits == 0 }
}
