/// First in, first out, in amortised constant time.
///
/// Public, and inlinable, for the optimiser alone: it makes no version of its own of a generic type from another module
/// that is `package`.
public struct FIFO<Element> {
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var head = 0

    @inlinable public init() {}

    @inlinable public var isEmpty: Bool { head == elements.count }
    @inlinable public var count: Int { elements.count - head }
    /// The oldest element.
    @inlinable public var first: Element? { isEmpty ? nil : elements[head] }

    /// The newest element.
    @inlinable public var last: Element? { isEmpty ? nil : elements[elements.count - 1] }

    @inlinable public mutating func append(_ element: Element) { elements.append(element) }

    @inlinable public mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[head].take()
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 32, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Changes the oldest element in place.
    @inlinable public mutating func updateFirst(_ change: (inout Element) -> Void) {
        guard var element = isEmpty ? nil : elements[head].take() else { return }
        change(&element)
        elements[head] = element
    }

    /// Changes the newest element in place.
    @inlinable public mutating func updateLast(_ change: (inout Element) -> Void) {
        let index = elements.count - 1
        guard var element = isEmpty ? nil : elements[index].take() else { return }
        change(&element)
        elements[index] = element
    }

    @inlinable public mutating func removeAll() {
        elements.removeAll()
        head = 0
    }
}

extension FIFO: Sendable where Element: Sendable {}
