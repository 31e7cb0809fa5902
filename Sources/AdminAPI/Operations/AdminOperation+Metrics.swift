import HTTPMessage
import Observability

// What is counted, for Prometheus and what reads the same.
extension AdminOperation {
    static let metrics: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/metrics",
            summary: "What is counted: as OpenMetrics 1.0, or as Prometheus text 0.0.4, by Accept.",
            responses: [
                Response(meaning: "A page.", mediaType: MetricsFormat.prometheus.mediaType, schema: .string())
            ]
        ) { question, control in
            guard let page = await control.metrics(MetricsQuestion(question.head.fields)) else {
                return .error(503, "the agent is stopping")
            }
            var answer = OwnAnswer(200, bytes: page.bytes, as: page.format.mediaType)
            if page.isCompressed { answer.append(named: "Content-Encoding", "gzip") }
            answer.append(named: "Vary", "Accept, Accept-Encoding")
            return .answer(answer)
        }
    ]
}
