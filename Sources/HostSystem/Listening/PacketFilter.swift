import SystemPackage

/// A small program of the kernel's classic packet filter.
struct PacketFilter {
    /// `struct sock_filter`.
    private struct Instruction {
        var code: UInt16
        var ifTrue: UInt8 = 0
        var ifFalse: UInt8 = 0
        var operand: UInt32
    }

    /// `struct sock_fprog`.
    private struct Program {
        var length: UInt16
        var instructions: UnsafePointer<Instruction>?
    }

    private enum Option {
        static let attach: CInt = 26
        static let attachToGroup: CInt = 51
        static let detachFromGroup: CInt = 68
    }

    private let instructions: [Instruction]

    /// For a listening socket: drops what opens a connection, so that the caller asks again in a second. What ends
    /// an opening that has begun passes.
    static let dropsOpenings = PacketFilter(instructions: [
        // The flags of the TCP header; SYN without ACK is an opening.
        Instruction(code: 0x30, operand: 13),
        Instruction(code: 0x54, operand: 0x12),
        Instruction(code: 0x15, ifFalse: 1, operand: 0x02),
        Instruction(code: 0x06, operand: 0),
        Instruction(code: 0x06, operand: .max),
    ])

    /// For sockets that share a port: new connections go to the second oldest of them. While there is none, the
    /// kernel goes by its own rule.
    static let steersToSecond = PacketFilter(instructions: [Instruction(code: 0x06, operand: 1)])

    func attach(to descriptor: CInt) throws(Errno) { try set(Option.attach, descriptor) }

    func attach(toGroupOf descriptor: CInt) throws(Errno) { try set(Option.attachToGroup, descriptor) }

    static func detach(fromGroupOf descriptor: CInt) throws(Errno) {
        try SocketCalls.setOption(Option.detachFromGroup, of: descriptor, to: 0 as CInt)
    }

    private func set(_ option: CInt, _ descriptor: CInt) throws(Errno) {
        try instructions.withUnsafeBufferPointer { instructions throws(Errno) in
            let program = Program(length: UInt16(instructions.count), instructions: instructions.baseAddress)
            try SocketCalls.setOption(option, of: descriptor, to: program)
        }
    }
}
