import AgentStatus
import FoundationEssentials
import HTTPMessage
import NIOCore
import TunnelConfiguration

// What the agent is told to do until it is told otherwise.
extension AdminOperation {
    static let actions: [AdminOperation] = pauses + sessions + tokens + rollback + logLevel + succession

    private static let pauses: [AdminOperation] = [PauseSnapshot.Kind.tunnel, .server].flatMap { kind in
        [
            AdminOperation(
                method: "POST", path: "/api/\(kind.rawValue)s/{name}/pause", audience: .role(.operate),
                summary: kind == .tunnel
                    ? "Have a tunnel finish what is in flight and dial no more."
                    : "Have a server refuse new requests; tunnel clients come and stay.",
                responses: pauseResponses
            ) { question, control in
                await .result { () async throws(ActionError) in
                    try await control.pause(kind, question.captures["name"] ?? "", by: question.asker)
                }
            },
            AdminOperation(
                method: "POST", path: "/api/\(kind.rawValue)s/{name}/resume", audience: .role(.operate),
                summary: "Have a \(kind.rawValue) go on that was paused.", responses: pauseResponses
            ) { question, control in
                await .result { () async throws(ActionError) in
                    try await control.resume(kind, question.captures["name"] ?? "", by: question.asker)
                }
            },
        ]
    }

    private static let pauseResponses = [
        Response(meaning: "How it is from now on.", schema: .json(PauseReport.self))
    ]

    private static let sessions: [AdminOperation] = [
        (
            "drain", false,
            "Give a session no new requests, and end it when those in flight are finished."
        ), ("disconnect", true, "End a session at once, with what is in flight."),
    ].map { verb, isCut, summary in
        AdminOperation(
            method: "POST", path: "/api/sessions/{id}/\(verb)", audience: .role(.operate), summary: summary,
            captures: [
                Parameter(
                    name: "id", meaning: "Its number, `session.id` in the log.", schema: .integer(1...Int.max)
                )
            ],
            responses: [Response(meaning: "Whose it is.", schema: .json(SessionReport.self))]
        ) { question, control in
            guard let id = UInt64(question.captures["id"] ?? "") else {
                return .error(400, "a session is named by its number, as session.id in the log")
            }
            return await .result { () async throws(ActionError) in
                try await control.end(session: id, isCut: isCut)
            }
        }
    }

    private static let tokens: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/tokens/blocked", summary: "The tokens that are not served for now.",
            responses: [Response(meaning: "All of them.", schema: .list(.json(BlockedTokenSnapshot.self)))]
        ) { _, control in .json(200, await control.blockedTokens()) },
        AdminOperation(
            method: "POST", path: "/api/tokens/block", audience: .role(.administer),
            summary: "Serve a token no more, and have its tunnel clients leave.",
            body: Body(
                meaning: "The token, or its hint and tag; for how long.",
                schema: .either([
                    .object(name: nil, [token, howLong]),
                    .object(name: nil, tokenAsShown + [howLong]),
                ])),
            responses: [
                Response(meaning: "It is blocked.", schema: .json(BlockedTokenSnapshot.self))
            ]
        ) { question, control in
            guard let query = question.body(TokenBlockQuery.self) else { return .noTokenQuery }
            return await .result { () async throws(ActionError) in
                try await control.block(query, for: try duration(query.duration), by: question.asker)
            }
        },
        AdminOperation(
            method: "POST", path: "/api/tokens/unblock", audience: .role(.administer),
            summary: "Serve a token again.",
            body: Body(
                meaning: "The token, or its hint and tag, or that all are meant.",
                schema: .either([
                    .object(name: nil, [token]), .object(name: nil, tokenAsShown),
                    .object(
                        name: nil,
                        [
                            .init(name: "token", schema: .nothing, isRequired: false),
                            .init(name: "all", schema: .always(true), isRequired: true),
                        ]),
                ])),
            responses: [Response(meaning: "How many are served again.", schema: .json([String: Int].self))]
        ) { question, control in
            guard let query = question.body(TokenBlockQuery.self) else { return .noTokenQuery }
            return await .result { () async throws(ActionError) in
                ["unblocked": try await control.unblock(query, by: question.asker)]
            }
        },
    ]

    private static let token = AdminSchema.Member(
        name: "token", schema: .string(pattern: "[!-~]{16,1024}"), isRequired: true)
    private static let tokenAsShown: [AdminSchema.Member] = [
        .init(name: "tokenHint", schema: .string(), isRequired: true),
        .init(name: "tokenTag", schema: .string(), isRequired: true),
        .init(name: "token", schema: .nothing, isRequired: false),
    ]
    private static let howLong = AdminSchema.Member(
        name: "for", schema: .optional(.string(pattern: someTime)), isRequired: false)
    /// Of what `duration` takes as much as anybody writes.
    private static let someTime = "[1-9][0-9]{0,2}(s|m|h|d)|[1-9][0-9]{3,5}s"

    private static let rollback: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/rollback", summary: "What a rollback would do now. Nothing changes.",
            responses: [
                Response(meaning: "What it would do.", schema: .json(PlanReport.self)),
                Response(
                    status: 409, meaning: "There is nothing to go back to.", schema: .json(PlanReport.self)),
            ]
        ) { _, control in .plan(await control.rollbackPlan(), refusal: 409) },
        AdminOperation(
            method: "POST", path: "/api/rollback", audience: .role(.administer),
            summary: "Apply the configuration that was in force before this one.",
            responses: [
                Response(meaning: "It is in force.", schema: .json(ReloadSnapshot.self)),
                Response(status: 422, meaning: "Why it was refused.", schema: .json(ReloadSnapshot.self)),
            ]
        ) { question, control in
            await .reload { () async throws(ActionError) in
                try await control.rollback(ifPlanned: EntityTags.wanted(by: question.head.fields))
            }
        },
    ]

    private static let logLevel: [AdminOperation] =
        [
            AdminOperation(
                method: "GET", path: "/api/log-level", summary: "How much the agent logs.",
                responses: logLevelResponses
            ) {
                _, control in .json(200, await control.logLevel())
            }
        ]
        + ["PUT", "POST"].map { method in
            AdminOperation(
                method: method, path: "/api/log-level", audience: .role(.operate),
                summary: "Log more or less, for a while or until the next reload.",
                body: Body(
                    meaning: "The level; for how long.",
                    schema: .object(
                        name: nil,
                        [
                            .init(
                                name: "level",
                                schema: .choice(LogConfiguration.Level.allCases.map(\.rawValue)),
                                isRequired: true),
                            howLong,
                        ])),
                responses: logLevelResponses
            ) { question, control in
                guard let query = question.body(LogLevelQuery.self),
                    let level = LogConfiguration.Level(rawValue: query.level)
                else {
                    let levels = LogConfiguration.Level.allCases.map(\.rawValue).joined(separator: ", ")
                    return .error(
                        400, "the body is {\"level\":LEVEL,\"for\":\"10m\"}, LEVEL one of \(levels)")
                }
                return await .result { () async throws(ActionError) in
                    await control.setLogLevel(level, for: try duration(query.duration))
                }
            }
        }

    private static let logLevelResponses = [
        Response(meaning: "From now on.", schema: .json(LogLevelSnapshot.self))
    ]

    private static let succession: [AdminOperation] = [
        AdminOperation(
            method: "GET", path: "/api/succession", audience: .controlSocket,
            summary: "What another process has to know that takes this one's place."
        ) { _, control in .json(200, await control.succession()) }
    ]

    /// Longer than anybody waits.
    private static let longest: Duration = .seconds(10 * 366 * 86_400)

    private static func duration(_ text: String?) throws(ActionError) -> Duration? {
        guard let text else { return nil }
        guard let duration = DurationText.parse(text), duration > .zero, duration <= longest else {
            throw ActionError(400, "\"for\" is no time: write \"30s\", \"10m\" or \"2h\", or leave it out")
        }
        return duration
    }
}

extension AdminReply {
    fileprivate static let noTokenQuery = AdminReply.error(
        400,
        "the body is {\"token\":TOKEN}, or {\"tokenHint\":HINT,\"tokenTag\":TAG} as the status shows it; with \"for\":\"10m\" if it is to end"
    )

    /// What came of it, or why nothing did.
    static func result<Value: Encodable & Sendable>(
        _ body: () async throws(ActionError) -> Value
    ) async -> AdminReply {
        do throws(ActionError) {
            return .json(200, try await body())
        } catch {
            return .error(error.status, error.description)
        }
    }

    /// The same of a reload.
    static func reload(_ body: () async throws(ActionError) -> ReloadSnapshot) async -> AdminReply {
        do throws(ActionError) {
            let reload = try await body()
            return .json(reload.outcome == .refused ? 422 : 200, reload)
        } catch {
            return .error(error.status, error.description)
        }
    }

    /// - Parameter refusal: the status where there is no plan.
    static func plan(_ report: PlanReport, refusal: Int) -> AdminReply {
        var answer = OwnAnswer.json(report.plan == nil ? refusal : 200, report)
        if let etag = report.etag { answer.append(named: "ETag", "\"\(etag)\"") }
        return .answer(answer)
    }
}
