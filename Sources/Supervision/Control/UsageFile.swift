import FoundationEssentials
import HostSystem
import Routing

/// The file in which the bytes of the month are kept: over restarts, and for an agent that takes this one's place while both
/// have requests.
struct UsageFile: Sendable {
    /// As JSON; names are those of its keys.
    private struct Content: Codable {
        var version = 1
        /// Such as `2026-11`, of UTC.
        var month: String
        /// Bytes, by server and by what stands for the token.
        var servers: [String: [String: UInt64]]
    }

    private let file: SharedFile

    init(path: String) { file = SharedFile(path: path) }

    var path: String { file.path }

    /// What it holds. Tells whether it can be changed, and changes nothing.
    func load() throws(UsageFileError) -> MonthlyUsage {
        let content: [UInt8]
        do throws(SharedFileError) {
            content = try file.look()
        } catch {
            throw UsageFileError(error)
        }
        return try Self.decode(content, path)
    }

    /// Adds what came since.
    ///
    /// - Returns: what the file holds then.
    func add(_ news: [UsageAccount: UInt64], in month: UsageMonth) throws(UsageFileError) -> MonthlyUsage {
        var usage = MonthlyUsage(month: "")
        do {
            _ = try file.change { content throws(UsageFileError) in
                usage = try Self.decode(content, path)
                usage.add(news, in: month)
                return Self.encode(usage)
            }
        } catch let error {
            throw error as? UsageFileError ?? UsageFileError(error)
        }
        return usage
    }

    private static func decode(_ content: [UInt8], _ path: String) throws(UsageFileError) -> MonthlyUsage {
        // What some file systems leave of a new file after a power loss.
        guard !content.allSatisfy({ $0 == 0 }) else { return MonthlyUsage(month: "") }
        guard let content = try? JSONDecoder().decode(Content.self, from: Data(content)), content.version == 1
        else { throw .foreign(path) }
        var bytes: [UsageAccount: UInt64] = [:]
        for (server, digests) in content.servers {
            for (digest, count) in digests { bytes[UsageAccount(server: server, digest: digest)] = count }
        }
        return MonthlyUsage(month: content.month, bytes: bytes)
    }

    private static func encode(_ usage: MonthlyUsage) -> [UInt8] {
        var content = Content(month: usage.month, servers: [:])
        for (account, count) in usage.bytes {
            content.servers[account.server, default: [:]][account.digest] = count
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        // Numbers and texts always make JSON.
        return (try? encoder.encode(content)).map { Array($0) + [UInt8(ascii: "\n")] } ?? []
    }
}

/// Why the bytes of the month cannot be kept.
struct UsageFileError: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error) { description = "usage-file: \(error)" }

    private init(text: String) { description = text }

    /// It holds something else: nobody's file is written over.
    static func foreign(_ path: String) -> UsageFileError {
        UsageFileError(
            text:
                "usage-file: \(path) holds something else than counts of bytes — name another file, or remove it"
        )
    }
}
