"""What goes over the wire: random numbers, WebSocket frames, the mux of protocol v2, messages of v1, HTTP.

Written apart from the program, from RFC 6455, RFC 9112 and the facts of the two protocols: a mistake is not made twice.
"""

import struct


class Random:
    """SplitMix64: the whole sequence follows from the seed."""

    mask = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed & self.mask

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.mask
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & self.mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & self.mask
        return mixed ^ (mixed >> 31)

    def below(self, bound):
        return self.next() % bound

    def chance(self, share):
        return self.next() < share * (1 << 64)

    def choice(self, values):
        return values[self.below(len(values))]

    def bytes(self, count):
        words = (count + 7) // 8
        return b"".join(struct.pack("<Q", self.next()) for _ in range(words))[:count]


# --- WebSocket (RFC 6455 §5.2) ------------------------------------------------------------------------

def frame(payload, mask=None, opcode=2, is_final=True, reserved=0, claimed=None):
    """`claimed` is the length that the head tells, when it is not the payload's."""
    length = len(payload) if claimed is None else claimed
    first = (0x80 if is_final else 0) | reserved << 4 | opcode
    masked = 0x80 if mask else 0
    if length < 126:
        head = struct.pack(">BB", first, masked | length)
    elif length < 65536:
        head = struct.pack(">BBH", first, masked | 126, length)
    else:
        head = struct.pack(">BBQ", first, masked | 127, length & Random.mask)
    if not mask:
        return head + payload
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + mask + mixed.to_bytes(len(payload), "big")


def fragments(random, message, masks):
    """A message in one frame or several, now and then with a ping or a broken frame between them."""
    def mask():
        return random.bytes(4) if masks else None

    out, opcode = [], 2
    while True:
        rest = random.below(len(message) + 1) if random.chance(0.3) and len(out) < 6 else 0
        piece, message = message[: len(message) - rest], message[len(message) - rest:]
        out.append(frame(piece, mask(), opcode, not message))
        opcode = 0
        if random.chance(0.05):
            out.append(frame(random.bytes(random.below(130)), mask(), random.choice([8, 9, 10])))
        if random.chance(0.02):
            out.append(broken_frame(random, masks))
        if not message:
            return out


def broken_frame(random, masks):
    return frame(
        random.bytes(random.below(200)),
        random.bytes(4) if masks != random.chance(0.2) else None,
        random.below(16), random.chance(0.7), random.below(8) if random.chance(0.3) else 0,
        random.choice([None, None, 0, 125, 126, 65535, 65536, 1 << 20, (1 << 20) + 1, 1 << 32, 1 << 63, Random.mask]))


# --- The mux of protocol v2 -------------------------------------------------------------------------

SETTINGS, REQUEST, RESPONSE, DATA, TRAILERS, RESET, WINDOW, PING, GO_AWAY = range(9)
LAST, INTERIM, TIMED, ANSWER = 1, 2, 4, 2


def mux(kind, payload=b"", stream=0, flags=0, claimed=None):
    length = len(payload) if claimed is None else claimed
    return struct.pack(">II", (length & 0xFFFFF) << 12 | flags << 8 | kind, stream & 0xFFFFFFFF) + payload


def settings(random):
    entries = [(1, struct.pack(">I", 2)), (2, struct.pack(">I", 1000)), (3, struct.pack(">I", 262144)),
               (4, b"fuzz/1"), (5, b"fuzzed"), (7, struct.pack(">I", random.below(8)))]
    if random.chance(0.1):
        entries[random.below(len(entries))] = (random.below(9), random.bytes(random.below(300)))
    if random.chance(0.05):
        entries = entries[random.below(len(entries)):]
    return mux(SETTINGS, b"".join(struct.pack(">HH", key, len(value)) + value for key, value in entries))


NUMBERS = [0, 1, 2, 3, 4, 5, 7, 100, 999, 1000, 1001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]


def stray_frame(random, streams):
    """A frame that may come at any time, for a stream that there is or not."""
    stream = random.choice(streams) if random.chance(0.9) else random.choice(NUMBERS)
    number = struct.pack(">I", random.choice(NUMBERS))
    kind = random.below(9) if random.chance(0.95) else random.below(256)
    payload = {
        REQUEST: number + request(random), RESPONSE: response(random)[0], DATA: random.bytes(random.below(3000)),
        TRAILERS: b"X-Trailer: 1\r\n", RESET: number + b"reason" * random.below(200), WINDOW: number,
        PING: random.bytes(8), GO_AWAY: number + b"bye",
    }.get(kind, random.bytes(random.below(64)))
    if random.chance(0.1):
        payload = mutated(random, payload)
    claimed = random.below(1 << 20) if random.chance(0.03) else None
    return mux(kind, payload, stream, random.below(4) if random.chance(0.8) else random.below(16), claimed)


# --- HTTP -------------------------------------------------------------------------------------------

def body(random, most=4000):
    """A body, and the field that frames it; chunked or with its length."""
    content = random.bytes(random.below(most))
    if random.chance(0.5):
        return b"Content-Length: %d\r\n" % len(content), content
    out = b""
    while content:
        size = random.below(len(content)) + 1
        out += b"%x%s\r\n%s\r\n" % (size, b";a=b" if random.chance(0.05) else b"", content[:size])
        content = content[size:]
    out += b"0\r\n" + (b"X-Trailer: t\r\n" if random.chance(0.2) else b"") + b"\r\n"
    return b"Transfer-Encoding: chunked\r\n", out


FIELDS = [
    b"Accept: */*", b"Cookie: a=b; c=d", b"Connection: close", b"Connection: keep-alive, X-Hop", b"X-Hop: 1",
    b"Expect: 100-continue", b"TE: trailers", b"Range: bytes=0-10", b"X-Forwarded-For: 1.2.3.4", b"X-Host: http://127.0.0.1:1",
    b"Upgrade: websocket", b"Referer: http://h/_token/fuzzed-token-number-one/x", b"Max-Forwards: 0",
    b"Destination: http://caller.test/a", b"Authorization: Basic YTpi", b"Keep-Alive: timeout=5", b"Date: yesterday",
]


UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


def fields(random):
    return b"".join(random.choice(FIELDS) + b"\r\n" for _ in range(random.below(5)))


def own_field(token):
    return b"X-Token: " + token + b"\r\n" if token else b""


def request(random, token=None, target=None):
    """A request as a caller sends it, or as it comes through a tunnel."""
    if random.chance(0.1):
        return b"GET /socket HTTP/1.1\r\nHost: caller.test\r\n%s%s%s\r\n" % (own_field(token), UPGRADE, fields(random))
    method = random.choice([b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"TRACE", b"CONNECT", b"PROPFIND"])
    target = target or random.choice(
        [b"/", b"/a/b?c=d", b"/%2e%2e/x", b"*", b"http://caller.test/y", b"/_health_check", b"/_stats",
         b"/_token/" + (token or b"fuzzed-token-number-one") + b"/z"])
    framing, content = body(random) if random.chance(0.5) else (b"", b"")
    version = b"HTTP/1.1" if random.chance(0.95) else random.choice([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTP/1.1"])
    head = b"%s %s %s\r\nHost: caller.test\r\n%s%s%s\r\n" % (method, target, version, own_field(token), fields(random), framing)
    return head + content


def response(random):
    """An answer: its head, and what follows."""
    if random.chance(0.1):
        return b"HTTP/1.1 101 Switching\r\n" + UPGRADE + b"\r\n", random.bytes(random.below(4000))
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n" if random.chance(0.1) else b""
    status = random.choice([200, 200, 200, 204, 304, 206, 301, 404, 500, 101, 100, 199, 999])
    framing, content = body(random) if random.chance(0.85) else (b"", random.bytes(random.below(500)))
    head = b"HTTP/1.1 %d Some Reason\r\n%s%s%s\r\n" % (
        status, fields(random), b"Set-Cookie: a\r\nServer: fuzz\r\n" if random.chance(0.3) else b"", framing)
    return interim + head, content


# --- Mutations --------------------------------------------------------------------------------------

PIECES = [
    b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\xff" * 8, b" ", b":", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n", b"GET / HTTP/1.1\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"%", b"%00", b"../",
    b"\xc3\x28", b"\xe2\x80\xae", b"A" * 70000, b"X: y\r\n" * 300, b"0001", b"7d00", b"ffff", b"PROXY TCP4 1 2 3 4\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
]


def mutated(random, data):
    """The same with one to four things wrong."""
    data = bytearray(data)
    for _ in range(1 + random.below(4)):
        place = random.below(len(data) + 1)
        end = place + 1 + random.below(16)
        kind = random.below(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << random.below(8)
        elif kind == 1:
            del data[place:end]
        elif kind == 2:
            data[place:place] = data[place:end] * (1 + random.below(4))
        elif kind == 3:
            data[place:place] = random.choice(PIECES)
        elif kind == 4:
            data[place:end] = random.bytes(end - place)
        elif kind == 5:
            del data[place:]
        elif place < len(data):
            data[place] = random.choice([0, 10, 13, 32, 58, 127, 128, 255])
    return bytes(data)


def maybe_mutated(random, data, share=0.3):
    return mutated(random, data) if random.chance(share) else data
