/// Builds the node tree from events and finds what libyaml does not: duplicate keys, unknown tags and
/// aliases, and trees that are small on disk but huge once aliases stand for their nodes.
struct YAMLComposer {
    /// The document's root once it is complete.
    private(set) var root: YAMLNode?
    private(set) var problems: [YAMLProblem] = []

    private let limits: YAMLLimits
    private var openNodes: [OpenNode] = []
    private var anchors: [String: Composed] = [:]
    private var nodeCount = 0
    private var hasDocument = false

    /// A finished node with its measures, aliases expanded.
    private struct Composed {
        var node: YAMLNode
        /// Levels of nesting: 0 for a scalar.
        var height: Int
        /// Nodes, itself included.
        var size: Int
    }

    /// A sequence or mapping whose end has not come yet.
    private struct OpenNode {
        let isMapping: Bool
        let mark: YAMLMark
        let anchor: String?
        var height = 1
        var size = 1
        var items: [YAMLNode] = []
        var entries: [YAMLEntry] = []
        var firstKeys: [String: YAMLMark] = [:]
        var pendingKey: YAMLNode?
        var merged: [YAMLEntry] = []
    }

    init(limits: YAMLLimits) { self.limits = limits }

    /// Takes the next event.
    /// - Returns: false when nothing more is to be learnt from the document.
    mutating func take(_ event: YAMLEvent) -> Bool {
        switch event.kind {
        case .other, .streamEnd: return true
        case .documentStart:
            guard !hasDocument else { return stop(.severalDocuments, at: event.start) }
            hasDocument = true
            return true
        case .alias(let name): return takeAlias(name, event)
        case .scalar(let text, let style, let tag, let anchor):
            return takeScalar(text, style, tag, anchor, event)
        case .sequenceStart(let tag, let anchor): return open(isMapping: false, tag, anchor, event)
        case .mappingStart(let tag, let anchor): return open(isMapping: true, tag, anchor, event)
        case .sequenceEnd, .mappingEnd: return close(event)
        }
    }

    /// Adds a problem, as far as the limit allows.
    mutating func report(_ problem: YAMLProblem) {
        if problems.count < limits.problems { problems.append(problem) }
    }

    private mutating func stop(_ kind: YAMLProblem.Kind, at mark: YAMLMark) -> Bool {
        report(YAMLProblem(kind, at: mark))
        return false
    }

    private mutating func takeAlias(_ name: String, _ event: YAMLEvent) -> Bool {
        if openNodes.contains(where: { $0.anchor == name }) {
            report(YAMLProblem(.recursiveAlias(name), at: event.start))
        } else if let anchor = anchors[name] {
            return add(anchor, at: event.start)
        } else {
            report(YAMLProblem(.unknownAlias(name), at: event.start))
        }
        return addScalar(YAMLScalar(text: "", style: .plain), event)
    }

    private mutating func takeScalar(
        _ text: String, _ style: YAMLScalar.Style, _ tag: String?, _ anchor: String?, _ event: YAMLEvent
    ) -> Bool {
        if text.utf8.contains(0) { report(YAMLProblem(.nul, at: event.start)) }
        var scalarTag: YAMLScalar.Tag?
        if let tag {
            scalarTag = tag == "!" ? .str : standardName(of: tag).flatMap(YAMLScalar.Tag.init)
            if scalarTag == nil { report(YAMLProblem(.unknownTag(tag), at: event.start)) }
        }
        return addScalar(YAMLScalar(text: text, style: style, tag: scalarTag), event, anchor: anchor)
    }

    private mutating func addScalar(_ scalar: YAMLScalar, _ event: YAMLEvent, anchor: String? = nil) -> Bool {
        let node = YAMLNode(content: .scalar(scalar), mark: event.start, end: event.end)
        let composed = Composed(node: node, height: 0, size: 1)
        if let anchor { anchors[anchor] = composed }
        return add(composed, at: event.start)
    }

    private mutating func open(
        isMapping: Bool, _ tag: String?, _ anchor: String?, _ event: YAMLEvent
    ) -> Bool {
        if let tag, tag != "!", standardName(of: tag) != (isMapping ? "map" : "seq") {
            report(YAMLProblem(.unknownTag(tag), at: event.start))
        }
        guard openNodes.count < limits.depth else {
            return stop(.tooDeep(limit: limits.depth), at: event.start)
        }
        openNodes.append(OpenNode(isMapping: isMapping, mark: event.start, anchor: anchor))
        return problems.count < limits.problems
    }

    private mutating func close(_ event: YAMLEvent) -> Bool {
        guard var open = openNodes.popLast() else { return false }
        for entry in open.merged where open.firstKeys[entry.key] == nil {
            open.firstKeys[entry.key] = entry.keyMark
            open.entries.append(entry)
        }
        let node = YAMLNode(
            content: open.isMapping ? .mapping(open.entries) : .sequence(open.items),
            mark: open.mark, end: event.end)
        let composed = Composed(node: node, height: open.height, size: open.size)
        if let anchor = open.anchor { anchors[anchor] = composed }
        // Its children were counted when they were added.
        nodeCount -= open.size - 1
        return add(composed, at: open.mark)
    }

    /// Puts a finished node where it belongs: root, item, key or value.
    private mutating func add(_ composed: Composed, at mark: YAMLMark) -> Bool {
        nodeCount += composed.size
        guard nodeCount <= limits.nodes else { return stop(.tooManyNodes(limit: limits.nodes), at: mark) }
        guard openNodes.count + composed.height <= limits.depth else {
            return stop(.tooDeep(limit: limits.depth), at: mark)
        }
        guard problems.count < limits.problems else { return false }
        guard let top = openNodes.indices.last else {
            root = composed.node
            return true
        }
        openNodes[top].height = max(openNodes[top].height, composed.height + 1)
        openNodes[top].size += composed.size
        if !openNodes[top].isMapping {
            openNodes[top].items.append(composed.node)
        } else if let key = openNodes[top].pendingKey {
            openNodes[top].pendingKey = nil
            addEntry(key, composed.node, at: mark)
        } else {
            openNodes[top].pendingKey = composed.node
        }
        return true
    }

    private mutating func addEntry(_ key: YAMLNode, _ value: YAMLNode, at valueMark: YAMLMark) {
        let top = openNodes.count - 1
        guard let scalar = key.scalar else {
            report(YAMLProblem(.keyIsNoScalar, at: key.mark))
            return
        }
        if let first = openNodes[top].firstKeys[scalar.text] {
            report(YAMLProblem(.duplicateKey(scalar.text, first: first), at: key.mark))
            return
        }
        openNodes[top].firstKeys[scalar.text] = key.mark
        guard scalar.text == "<<", scalar.style == .plain, scalar.tag == nil else {
            openNodes[top].entries.append(
                YAMLEntry(key: scalar.text, keyMark: key.mark, keyEnd: key.end, value: value))
            return
        }
        for source in value.sequence ?? [value] {
            if let entries = source.mapping {
                openNodes[top].merged.append(contentsOf: entries)
            } else {
                report(YAMLProblem(.mergeOfNoMapping, at: valueMark))
            }
        }
    }

    /// The name of one of YAML's own tags, or nil.
    private func standardName(of tag: String) -> String? {
        let prefix = "tag:yaml.org,2002:"
        return tag.hasPrefix(prefix) ? String(tag.dropFirst(prefix.count)) : nil
    }
}
