package import SystemPackage

/// What tells one file from another that bears the same name later, or another name.
package struct FileIdentity: Hashable, Sendable {
    private let device: DeviceID
    private let inode: Inode

    package init(_ status: Stat) {
        device = status.deviceID
        inode = status.inode
    }

    /// The file that a path leads to; nil when there is none.
    ///
    /// - Parameter followsLinks: false for what stands at the path itself.
    package init?(path: String, followsLinks: Bool = true) {
        guard let status = try? Stat(FilePath(path), followTargetSymlink: followsLinks) else { return nil }
        self.init(status)
    }

    /// The file that is open.
    package init?(descriptor: CInt) {
        guard let status = try? Stat(FileDescriptor(rawValue: descriptor)) else { return nil }
        self.init(status)
    }
}
