import CLibYAML

/// One libyaml event, copied into Swift values.
struct YAMLEvent {
    enum Kind {
        case documentStart
        case alias(String)
        case scalar(text: String, style: YAMLScalar.Style, tag: String?, anchor: String?)
        case sequenceStart(tag: String?, anchor: String?)
        case mappingStart(tag: String?, anchor: String?)
        case sequenceEnd
        case mappingEnd
        case streamEnd
        /// Stream start and document end: nothing to compose.
        case other
    }

    let kind: Kind
    let start: YAMLMark
    let end: YAMLMark
}

/// Feeds every event of a document to `body` until it answers false, the stream ends, or libyaml gives up.
///
/// The only place that touches libyaml and its memory: the parser, the input buffer and each event live
/// inside this call and are deleted on every path out of it.
/// - Returns: the problem that stopped libyaml, if one did.
func forEachYAMLEvent(in text: YAMLText, _ body: (YAMLEvent) -> Bool) -> YAMLProblem? {
    text.bytes.withUnsafeBufferPointer { input in
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { return outOfMemory }
        defer { yaml_parser_delete(&parser) }
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(&parser, input.baseAddress, input.count)
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(&parser, &event) == 1 else { return problem(of: parser) }
            defer { yaml_event_delete(&event) }
            let copy = YAMLEvent(event)
            guard body(copy) else { return nil }
            if case .streamEnd = copy.kind { return nil }
        }
    }
}

private let outOfMemory = YAMLProblem(
    .syntax(problem: "out of memory", context: nil, contextLine: nil), at: YAMLMark(line: 1, column: 1))

private func problem(of parser: yaml_parser_t) -> YAMLProblem {
    if parser.error == YAML_MEMORY_ERROR { return outOfMemory }
    let context = parser.context.map { String(cString: $0) }
    return YAMLProblem(
        .syntax(
            problem: parser.problem.map { String(cString: $0) } ?? "not valid YAML",
            context: context,
            contextLine: context == nil ? nil : YAMLMark(parser.context_mark).line),
        at: YAMLMark(parser.problem_mark))
}

extension YAMLMark {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
    }
}

extension YAMLEvent {
    fileprivate init(_ event: yaml_event_t) {
        start = YAMLMark(event.start_mark)
        end = YAMLMark(event.end_mark)
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_ALIAS_EVENT: kind = .alias(text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            // libyaml promises `length` initialised bytes at `value`, alive until the event is deleted.
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            kind = .scalar(
                text: String(decoding: bytes, as: UTF8.self), style: style(of: scalar.style),
                tag: text(scalar.tag), anchor: text(scalar.anchor))
        case YAML_SEQUENCE_START_EVENT:
            let sequence = event.data.sequence_start
            kind = .sequenceStart(tag: text(sequence.tag), anchor: text(sequence.anchor))
        case YAML_MAPPING_START_EVENT:
            let mapping = event.data.mapping_start
            kind = .mappingStart(tag: text(mapping.tag), anchor: text(mapping.anchor))
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        default: kind = .other
        }
    }
}

private func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    bytes.map { String(cString: $0) }
}

private func style(of style: yaml_scalar_style_t) -> YAMLScalar.Style {
    switch style {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE, YAML_DOUBLE_QUOTED_SCALAR_STYLE: .quoted
    case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
    default: .plain
    }
}
