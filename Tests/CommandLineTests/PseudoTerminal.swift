/// The beginning of a script of python3 that runs a program on a pseudo terminal of 100 columns: `master` is its other end,
/// `child` the program, `action` what the script is to do. `wait` waits for words behind those that were waited for before,
/// and what came stands in `seen`.
let pseudoTerminal = """
    import fcntl, os, pty, select, signal, struct, sys, termios
    action, arguments = sys.argv[1], sys.argv[2:]
    master, slave = pty.openpty()
    def resize(columns, lines):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    resize(100, 24)
    before = termios.tcgetattr(slave)
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2): os.dup2(slave, descriptor)
        os.execv(arguments[0], arguments)
    seen, place = b"", 0
    def wait(words, patience):
        global seen, place
        while words not in seen[place:]:
            if not select.select([master], [], [], patience)[0]:
                sys.exit("nothing like " + repr(words) + " in " + repr(seen[place:]))
            seen += os.read(master, 4096)
        place = seen.index(words, place) + len(words)

    """
