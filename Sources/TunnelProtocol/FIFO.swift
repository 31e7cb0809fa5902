/// First in, first out, in amortised constant time.
package struct FIFO<Element> {
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var head = 0

    @inlinable package init() {}

    @inlinable package var isEmpty: Bool { head == elements.count }
    @inlinable package var count: Int { elements.count - head }
    /// The oldest element.
    @inlinable package var first: Element? { isEmpty ? nil : elements[head] }

    /// The newest element.
    @inlinable package var last: Element? { isEmpty ? nil : elements[elements.count - 1] }

    @inlinable package mutating func append(_ element: Element) { elements.append(element) }

    @inlinable package mutating func popFirst() -> Element? {
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
    @inlinable package mutating func updateFirst(_ change: (inout Element) -> Void) {
        guard var element = isEmpty ? nil : elements[head].take() else { return }
        change(&element)
        elements[head] = element
    }

    /// Changes the newest element in place.
    @inlinable package mutating func updateLast(_ change: (inout Element) -> Void) {
        let index = elements.count - 1
        guard var element = isEmpty ? nil : elements[index].take() else { return }
        change(&element)
        elements[index] = element
    }

    @inlinable package mutating func removeAll() {
        elements.removeAll()
        head = 0
    }
}

extension FIFO: Sendable where Element: Sendable {}
