extension LoadSnapshot.Measure {
    /// As people read it, with what there is.
    var words: String {
        switch name {
        case "memory":
            "\(name) \(StatusRendering.bytes(UInt64(max(0, used)))) of \(StatusRendering.bytes(UInt64(max(0, limit))))"
        case "loop-delay": "\(name) \(used) ms of \(limit) ms"
        default: "\(name) \(used) of \(limit)"
        }
    }
}

extension LoadSnapshot {
    /// What is done at the stage, in words.
    var consequence: String {
        switch stage {
        case 1: "callers keep no connections"
        case 2: "new requests are refused"
        default: "new requests are refused, idle buffers given back"
        }
    }

    /// The stage and all measures, in a line.
    var line: String {
        let figures = measures.map(\.words).joined(separator: ", ")
        return (stage == 0 ? "load: " : "load, stage \(stage): ") + (figures.isEmpty ? "not known" : figures)
    }
}
