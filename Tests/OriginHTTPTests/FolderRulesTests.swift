import HTTPMessage
import Testing

@testable import OriginHTTP

struct FolderPathTests {
    @Test(arguments: [
        ("/", "", true), ("/a", "a", false), ("/a/b.txt?c=/../d", "a/b.txt", false), ("/a/", "a", true),
        ("//a//b//", "a/b", true), ("/./a/./b", "a/b", false), ("/a/.", "a", true), ("/a%20b", "a b", false),
        ("/%C3%A9", "\u{e9}", false), ("/a%2Fb", "a/b", false), ("/.well-known/x", ".well-known/x", false),
        ("/a..b/c...", "a..b/c...", false), ("/%25", "%", false), ("/a#b", "a", false),
    ])
    func targetsNamePathsInsideTheFolder(target: String, path: String, namesFolder: Bool) throws {
        let parsed = try FolderPath(target: target)
        #expect(parsed.path == path)
        #expect(parsed.namesFolder == namesFolder)
    }

    @Test(arguments: [
        ("/..", FolderPath.Refusal.hidden), ("/../etc/passwd", .hidden), ("/a/../../b", .hidden),
        ("/a/..", .hidden),
        ("/%2e%2e/x", .hidden), ("/.%2E/x", .hidden), ("/..%2fx", .hidden), ("/a\\..\\b", .hidden),
        ("/..%5cx", .hidden), ("/%5c", .hidden), ("/.git/config", .hidden), ("/a/.env", .hidden),
        ("/...", .hidden),
        ("/a%00.txt", .malformed), ("/%", .malformed), ("/%2", .malformed), ("/%zz", .malformed),
        ("/%ff", .malformed),
        ("/%c0%ae%c0%ae/x", .malformed), ("*", .malformed), ("", .malformed), ("http://a/", .malformed),
    ])
    func whatCouldLeaveTheFolderIsRefused(target: String, expected: FolderPath.Refusal) {
        #expect(throws: expected) { try FolderPath(target: target) }
    }

    @Test(arguments: [
        ("/.git/config", ".git/config"), ("/a/.env", "a/.env"), ("/...", "..."), ("/./.a/", ".a"),
    ])
    func hiddenOnesAreNamedWhereTheyAreServed(target: String, path: String) throws {
        #expect(try FolderPath(target: target, servesHidden: true).path == path)
    }

    @Test(arguments: ["/..", "/a/../b", "/%2e%2e/x", "/.%2E/x", "/..%2fx", "/.git\\..\\x"])
    func servingHiddenOnesLetsNobodyOut(target: String) {
        #expect(throws: FolderPath.Refusal.hidden) { try FolderPath(target: target, servesHidden: true) }
    }

    @Test func decodingHappensOnce() throws {
        #expect(try FolderPath(target: "/%252e%252e/x").path == "%2e%2e/x")
    }

    @Test(arguments: [
        ("/a", "./a/"), ("/a/b?c", "./b/?c"), ("/x:y", "./x:y/"), ("//evil.example", "./evil.example/"),
    ])
    func redirectsAreRelative(target: String, expected: String) {
        #expect(FolderPath.redirect(target) == expected)
    }

    @Test(arguments: [
        ("index.html", "text/html; charset=utf-8"), ("a/B.PNG", "image/png"),
        ("x.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"), ("a.b/c", "application/octet-stream"),
        ("x.", "application/octet-stream"),
    ])
    func suffixesTellTheContentType(path: String, expected: String) {
        #expect(MediaType.of(path) == expected)
    }
}

struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
    ])
    func datesAreWrittenAndRead(seconds: Int, text: String) {
        #expect(HTTPDate.format(seconds) == text)
        #expect(HTTPDate.parse(text) == seconds)
    }

    @Test func everyDaySurvivesARoundTrip() {
        for day in stride(from: 0, to: 50_000, by: 3) {
            let seconds = day * 86400 + day % 86400
            #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds)
        }
    }

    @Test(arguments: [
        "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
    ])
    func otherTextIsNoDate(text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }
}

struct FileAnswerTests {
    private static let modified = (seconds: 784_111_777, nanoseconds: 5)

    private func answer(_ fields: [String: String] = [:], method: String = "GET", size: Int = 100)
        -> FileAnswer
    {
        var head = RequestHead(method: method, target: "/a.txt")
        for (name, value) in fields { head.fields.append(named: name, value) }
        return FileAnswer(head, path: "a.txt", size: size, modified: Self.modified)
    }

    private var tag: String { answer().head.fields.first(named: "ETag") ?? "" }

    @Test func wholeFilesAreDescribed() {
        let whole = answer()
        #expect(whole.head.status == 200)
        #expect(whole.range == 0..<100)
        #expect(whole.head.fields[.contentLength] == "100")
        #expect(whole.head.fields[.contentType] == "text/plain; charset=utf-8")
        #expect(whole.head.fields.first(named: "Last-Modified") == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(answer(method: "HEAD").range.isEmpty)
        #expect(answer(method: "HEAD").head == whole.head)
    }

    @Test(arguments: [
        ("bytes=0-0", 206, 0..<1), ("bytes=10-19", 206, 10..<20), ("bytes=90-", 206, 90..<100),
        ("bytes=90-1000", 206, 90..<100), ("bytes=-10", 206, 90..<100), ("bytes=-1000", 206, 0..<100),
        ("Bytes=0-", 206, 0..<100), ("bytes=100-", 416, 0..<0), ("bytes=100-200", 416, 0..<0),
        ("bytes=-0", 416, 0..<0),
        ("bytes=5-4", 200, 0..<100), ("bytes=0-1,3-4", 200, 0..<100), ("bytes=a-b", 200, 0..<100),
        ("bytes=-", 200, 0..<100), ("items=0-1", 200, 0..<100), ("bytes=0-1-2", 200, 0..<100),
        ("bytes=99999999999999999999-", 200, 0..<100), ("bytes= 0-1", 200, 0..<100),
    ])
    func singleRangesAreServed(value: String, status: Int, range: Range<Int>) {
        let part = answer(["Range": value])
        #expect(part.head.status == status)
        #expect(part.range == range)
        #expect(part.head.fields[.contentLength] == String(range.count))
        switch status {
        case 206:
            let described = "bytes \(range.lowerBound)-\(range.upperBound - 1)/100"
            #expect(part.head.fields.first(named: "Content-Range") == described)
        case 416: #expect(part.head.fields.first(named: "Content-Range") == "bytes */100")
        default: #expect(part.head.fields.first(named: "Content-Range") == nil)
        }
    }

    @Test func emptyFilesHaveNoRange() {
        #expect(answer(["Range": "bytes=0-"], size: 0).head.status == 416)
        #expect(answer(["Range": "bytes=-5"], size: 0).head.status == 416)
        #expect(answer(size: 0).head.status == 200)
    }

    @Test func rangesNeedAnUnchangedFile() {
        #expect(answer(["Range": "bytes=0-0", "If-Range": tag]).head.status == 206)
        #expect(
            answer(["Range": "bytes=0-0", "If-Range": "Sun, 06 Nov 1994 08:49:37 GMT"]).head.status == 206)
        #expect(answer(["Range": "bytes=0-0", "If-Range": "\"other\""]).head.status == 200)
    }

    @Test func unchangedFilesAreNotSentAgain() {
        let unchanged = [
            ["If-None-Match": tag], ["If-None-Match": "\"x\", W/\(tag)"], ["If-None-Match": "*"],
            ["If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"],
            ["If-Modified-Since": "Mon, 07 Nov 1994 08:49:37 GMT"],
        ]
        for fields in unchanged {
            let answer = answer(fields)
            #expect(answer.head.status == 304)
            #expect(answer.range.isEmpty)
            #expect(answer.head.fields.first(named: "ETag") == tag)
        }
        let changed = [
            ["If-None-Match": "\"x\""], ["If-Modified-Since": "Sun, 06 Nov 1994 08:49:36 GMT"],
            ["If-Modified-Since": "yesterday"],
            ["If-None-Match": "\"x\"", "If-Modified-Since": "Mon, 07 Nov 1994 08:49:37 GMT"],
        ]
        for fields in changed { #expect(answer(fields).head.status == 200) }
    }
}
