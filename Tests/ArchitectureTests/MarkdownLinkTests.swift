import Testing

/// The documents: that their links lead somewhere, and that every page can be found.
@Suite struct MarkdownLinkTests {
    @Test func everyLinkLeadsSomewhere() throws {
        let all = try MarkdownPages(of: SourceTree.root)
        #expect(all.pages.count > 10)
        for page in all.pages.values {
            for target in page.targets {
                let fault = all.fault(of: target, on: page.path)
                #expect(fault == nil, "\(page.path): (\(target)) \(fault ?? "")")
            }
        }
    }

    @Test func everyPageIsFoundFromTheFirst() throws {
        let all = try MarkdownPages(of: SourceTree.root)
        var found: Set<String> = ["README.md"]
        var rest = ["README.md"]
        while let page = rest.popLast() {
            for next in all.neighbours(of: page) where found.insert(next).inserted { rest.append(next) }
        }
        #expect(all.pages.keys.filter { !found.contains($0) }.sorted() == [])
    }

    @Test func theFirstPageIsForPeopleInAHurry() throws {
        let first = try #require(try MarkdownPages(of: SourceTree.root).pages["README.md"])
        #expect(first.lineCount <= 250, "what takes longer has a page of its own")
    }

    private static let page = """
        # A `page` of *its* own
        [one](other.md) and [two](other.md#the-second-part)
        ## Again
        `[code](is no link)`
        ```
        # no heading
        [nor](a link)
        ```
        ## Again
        [ref]: https://example.com/a_b
        """

    @Test func aPageIsReadAsItIsShown() {
        let page = MarkdownPage(path: "a.md", text: Self.page)
        #expect(page.targets == ["other.md", "other.md#the-second-part", "https://example.com/a_b"])
        #expect(page.anchors == ["a-page-of-its-own", "again", "again-1"])
    }

    struct Link: CustomTestStringConvertible {
        let target: String
        let fault: String?
        var testDescription: String { target }
    }

    @Test(arguments: [
        Link(target: "a.md", fault: nil),
        Link(target: "./a.md#again-1", fault: nil),
        Link(target: "#the-second-part", fault: nil),
        Link(target: "../Sources", fault: nil),
        Link(target: "../Sources/", fault: nil),
        Link(target: "https://example.com/x#y", fault: nil),
        Link(target: "b.md", fault: "there is no docs/b.md"),
        Link(target: "/docs/a.md", fault: "there is no docs/docs/a.md"),
        Link(target: "", fault: "is empty"),
        Link(target: "a.md#agaim", fault: "docs/a.md has no such heading"),
        Link(target: "../Sources#x", fault: "Sources is no page"),
        Link(target: "../../a.md", fault: "leaves the repository"),
        Link(target: "https://example/x", fault: "is no URL"),
        Link(target: "ftp://example.com", fault: "is no URL"),
    ])
    func aLinkThatLeadsNowhereIsSeen(link: Link) {
        let all = MarkdownPages(
            texts: ["docs/a.md": Self.page, "docs/other.md": "### The second part\n"], files: ["Sources"])
        #expect(all.fault(of: link.target, on: "docs/other.md") == link.fault)
    }
}
