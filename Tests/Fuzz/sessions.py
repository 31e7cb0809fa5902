"""The five who are played: each makes one session of a number, and what it sends follows from seed and number."""

import base64
import hashlib
import select
import socket
import struct
import threading
import time

import wire

TOKENS = [b"fuzzed-token-number-one", b"fuzzed-token-number-two"]
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def accept_value(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


class Line:
    """A connection that keeps what was sent on it."""

    def __init__(self, connection, name, journal):
        self.connection, self.name, self.journal = connection, name, journal
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        """Sends what the other end takes within a second; one that has hung up is no fault."""
        self.journal.append((self.name, data))
        self.connection.settimeout(1)
        try:
            self.connection.sendall(data)
            return True
        except OSError:
            return False

    def send_split(self, random, data):
        """In pieces, as a network may cut it."""
        while data:
            size = len(data) if random.chance(0.7) else 1 + random.below(len(data))
            if not self.send(data[:size]):
                return False
            data = data[size:]
        return True

    def receive(self, patience, until=None):
        """What comes until it has `until` in it, the other end is done, or it has been silent for so long."""
        out = b""
        deadline = time.monotonic() + patience
        while until is None or until not in out:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.connection], [], [], left)[0]:
                break
            try:
                piece = self.connection.recv(65536)
            except OSError:
                break
            if not piece or len(out) > 1 << 20:
                break
            out += piece
        return out

    def end(self, random):
        """Half closes, closes or resets it."""
        try:
            if random.chance(0.2):
                self.connection.shutdown(socket.SHUT_WR)
                self.receive(0.01)
            elif random.chance(0.3):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.connection.close()


def call(port, name, journal):
    return Line(socket.create_connection(("127.0.0.1", port), 10), name, journal)


# --- Against a server: a tunnel client that is mad ----------------------------------------------------

class MadClient:
    """A tunnel client of the server, and a caller who gives it something to answer."""

    tunnels = ""
    server_options = ""

    def __init__(self, is_old):
        self.is_old = is_old

    def begin(self, world):
        self.port = world.port

    def handshake(self, random, token):
        protocol = b"" if self.is_old else b"Sec-WebSocket-Protocol: wstunnel.v2\r\n"
        number = random.below(4)
        return (b"GET /_tunnel HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nOrigin: %s\r\n%s"
                b"X-Tunnel-Client: fuzz/%d\r\nX-Client-Version: fuzz\r\n\r\n" % (KEY, token, protocol, number))

    def run(self, random, journal):
        token = random.choice(TOKENS)
        tunnel = call(self.port, "tunnel", journal)
        callers = []
        try:
            handshake = self.handshake(random, token)
            said = wire.maybe_mutated(random, handshake, 0.1)
            tunnel.send_split(random, said)
            # One that is broken may be waited for in vain.
            if b" 101 " not in tunnel.receive(2 if said == handshake else 0.1, until=b"\r\n\r\n"):
                return
            if not self.is_old:
                message = wire.maybe_mutated(random, wire.settings(random), 0.05)
                for piece in wire.fragments(random, message, True):
                    tunnel.send(piece)
            for number in range(random.below(3)):
                caller = call(self.port, "caller", journal)
                callers.append(caller)
                caller.send(wire.request(random, token, target=b"/x"))
            # What the server asks comes here or to another session of the token that it still believes in.
            seen = tunnel.receive(0.05, until=b" HTTP/1.1\r\nHost: ") if callers else b""
            out = self.old_answers(random, seen) if self.is_old else self.answers(random, seen)
            data = b"".join(piece for message in out for piece in wire.fragments(random, message, True))
            tunnel.send_split(random, wire.maybe_mutated(random, data, 0.15))
            tunnel.receive(0.005)
            for caller in callers:
                caller.receive(0.003)
        finally:
            for line in [tunnel] + callers:
                line.end(random)

    def answers(self, random, seen):
        """Messages of v2: answers to streams that may be open, and frames that nobody asked for."""
        streams = streams_of(seen) or [1, 2, 3]
        frames = []
        for stream in streams:
            head, content = wire.response(random)
            if random.chance(0.1):
                frames.append(wire.mux(wire.RESPONSE, b"HTTP/1.1 103 E\r\n\r\n", stream, wire.INTERIM))
            time = random.bytes(4) if random.chance(0.3) else b""
            frames.append(wire.mux(wire.RESPONSE, wire.maybe_mutated(random, time + head, 0.2), stream,
                                   (wire.LAST if random.chance(0.1) else 0) | (wire.TIMED if time else 0)))
            while content:
                size = 1 + random.below(len(content))
                frames.append(wire.mux(wire.DATA, content[:size], stream))
                content = content[size:]
            frames.append(wire.mux(wire.DATA, b"", stream, wire.LAST) if random.chance(0.8)
                          else wire.mux(wire.TRAILERS, wire.maybe_mutated(random, b"X-T: 1\r\n", 0.3), stream, wire.LAST))
        return messages(random, frames, streams)

    def old_answers(self, random, seen):
        """Messages of v1: a number and a whole answer each."""
        out = []
        for _ in range(1 + random.below(3)):
            head, content = wire.response(random)
            number = b"%04x" % (random.below(4) if random.chance(0.3) else old_number(random, seen))
            out.append(wire.maybe_mutated(random, number + head + content, 0.3))
        return out


def messages(random, frames, streams):
    """Frames in messages, some of them strays, doubled, swapped or missing."""
    for _ in range(random.below(3)):
        frames.insert(random.below(len(frames) + 1), wire.stray_frame(random, streams))
    if random.chance(0.1) and len(frames) > 1:
        frames.pop(random.below(len(frames)))
    if random.chance(0.1):
        frames.append(random.choice(frames))
    if random.chance(0.1):
        place = random.below(len(frames))
        frames.append(frames.pop(place))
    out = []
    while frames:
        count = 1 + random.below(len(frames))
        out.append(wire.maybe_mutated(random, b"".join(frames[:count]), 0.05))
        frames = frames[count:]
    return out


def payloads(data):
    """Those of the unmasked frames that a server sent, as far as they are whole."""
    out = b""
    while len(data) >= 2:
        length, start = data[1] & 127, 2
        if length == 126 and len(data) >= 4:
            length, start = struct.unpack(">H", data[2:4])[0], 4
        elif length == 127 and len(data) >= 10:
            length, start = struct.unpack(">Q", data[2:10])[0], 10
        if data[0] & 15 in (0, 1, 2):
            out += data[start: start + length]
        data = data[start + length:]
    return out


def streams_of(data):
    """The streams that REQUEST frames among these open."""
    data, streams = payloads(data), []
    while len(data) >= 8:
        word, stream = struct.unpack(">II", data[:8])
        if word & 255 == wire.REQUEST:
            streams.append(stream)
        data = data[8 + (word >> 12):]
    return streams


def old_number(random, data):
    """The number of the last request that came, or some."""
    head = payloads(data)[:4]
    try:
        return int(head, 16)
    except ValueError:
        return random.below(32000)


# --- Against a client: a tunnel server that is mad ----------------------------------------------------

class MadServer:
    """A tunnel server to which tunnels of the client come again and again."""

    # So that one is always about to come: after each failure a tunnel waits a moment.
    count = 60
    server_options = ""

    def __init__(self, is_old):
        self.is_old = is_old
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        port = self.listener.getsockname()[1]
        self.tunnels = "".join(
            "  - { name: mad-%d, tunnel: 'ws://127.0.0.1:%d', token: fuzzed-token-of-%d, server: 'builtin:echo',\n"
            "      regexp: 'http://127.0.0.1:1', connections: 1, reconnect-delay: 1s }\n" % (number, port, number + 1000)
            for number in range(self.count))

    def begin(self, world):
        pass

    def run(self, random, journal):
        self.listener.settimeout(30)
        connection, _ = self.listener.accept()
        tunnel = Line(connection, "tunnel", journal)
        try:
            head = tunnel.receive(2, until=b"\r\n\r\n")
            keys = [line[18:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
            if not keys:
                return
            protocol = b"" if self.is_old else b"Sec-WebSocket-Protocol: wstunnel.v2\r\n"
            answer = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      b"Sec-WebSocket-Accept: %s\r\n%s\r\n" % (accept_value(keys[0]), protocol))
            tunnel.send_split(random, wire.maybe_mutated(random, answer, 0.1))
            out = self.old_requests(random) if self.is_old else self.requests(random)
            data = b"".join(piece for message in out for piece in wire.fragments(random, message, False))
            tunnel.send_split(random, wire.maybe_mutated(random, data, 0.15))
            tunnel.receive(0.01)
        finally:
            tunnel.end(random)

    def requests(self, random):
        frames = []
        streams = sorted({1 + random.below(9) for _ in range(1 + random.below(3))})
        for stream in streams:
            content = wire.request(random)
            end = content.index(b"\r\n\r\n") + 4
            content, rest = content[:end], content[end:]
            window = struct.pack(">I", random.choice([0, 1, 65536, 262144, 0x7FFFFFFF, 0xFFFFFFFF]))
            is_last = not rest and random.chance(0.9)
            frames.append(wire.mux(wire.REQUEST, window + wire.maybe_mutated(random, content, 0.2), stream,
                                   wire.LAST if is_last else 0))
            while rest:
                size = 1 + random.below(len(rest))
                frames.append(wire.mux(wire.DATA, rest[:size], stream, wire.LAST if size == len(rest) else 0))
                rest = rest[size:]
        first = wire.maybe_mutated(random, wire.settings(random), 0.05)
        return [first] + messages(random, frames, streams)

    def old_requests(self, random):
        return [
            wire.maybe_mutated(random, b"%04x" % random.below(6) + wire.request(random), 0.3)
            for _ in range(1 + random.below(4))
        ]


# --- Callers and origins ------------------------------------------------------------------------------

class MadCallers:
    """Callers of a tunnel, and the origin behind it, of which one or the other or both are mad."""

    server_options = ", trusted-proxies: [127.0.0.1]"

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.tunnels = (
            "  - { name: mad, tunnel: 'ws://127.0.0.1:PORT', token: %s, server: 'http://127.0.0.1:%d' }\n" % (
                TOKENS[0].decode(), self.listener.getsockname()[1]))
        self.lock = threading.Lock()
        self.answer, self.closes = b"", True
        threading.Thread(target=self.accept, daemon=True).start()

    def begin(self, world):
        self.port = world.port

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        """Answers whatever comes with the answer of the session that runs now."""
        connection.settimeout(10)
        try:
            while connection.recv(65536):
                with self.lock:
                    answer, closes = self.answer, self.closes
                connection.sendall(answer)
                if closes:
                    break
        except OSError:
            pass
        connection.close()

    def run(self, random, journal):
        head, content = wire.response(random)
        with self.lock:
            self.answer = wire.maybe_mutated(random, head + content, 0.4)
            self.closes = random.chance(0.7)
            journal.append(("origin", self.answer))
        caller = call(self.port, "caller", journal)
        try:
            for _ in range(1 + random.below(3)):
                token = TOKENS[0] if random.chance(0.9) else None
                data = wire.maybe_mutated(random, wire.request(random, token), 0.4)
                if not caller.send_split(random, data):
                    break
                head = caller.receive(0.02, until=b"\r\n\r\n")
                if b" 101 " in head[:13]:
                    caller.send_split(random, random.bytes(random.below(4000)))
        finally:
            caller.end(random)


PLAYERS = {
    "server-v1": lambda: MadClient(True),
    "server-v2": lambda: MadClient(False),
    "client-v1": lambda: MadServer(True),
    "client-v2": lambda: MadServer(False),
    "callers": MadCallers,
}
