#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket conformance over real sockets: a list of our own after the families of the Autobahn test suite.

    conformance.py ECHO_PROGRAM          starts the echo server, runs all cases against it, ends it
    conformance.py --at HOST:PORT        against a server that runs already
    ... [--only 6.] [--full]             cases by the start of their number; the 9.x sizes as Autobahn has them

Families: 0 handshake, 1 framing, 2 ping and pong, 3 reserved bits, 4 reserved opcodes, 5 fragmentation, 6 UTF-8,
7 close, 9 sizes, 10 automatic fragmentation. Standard library only; nothing is shared with the code under test.
"""

import argparse
import base64
import hashlib
import os
import random
import re
import socket
import subprocess
import sys
import time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TIMEOUT_S = 20
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words)


def mask_bytes(payload, mask):
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x9a\x31\xc7\x5e"):
    """One masked frame, with the length in its shortest form."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    return head + mask + mask_bytes(payload, mask)


def fragments(opcode, payload, size):
    """The frames of a message cut into fragments of `size` bytes."""
    out = []
    for at in range(0, max(len(payload), 1), size):
        out.append(frame(0 if at else opcode, payload[at:at + size], fin=at + size >= len(payload)))
    return b"".join(out)


class Client:
    def __init__(self, address, extra="", after=b""):
        self.socket = socket.create_connection(address, timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = bytearray()
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(f"GET /chat?x=y HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\n"
                  f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                  f"{extra}\r\n".encode() + after)
        self.head = self.read_head()
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        check(self.head.startswith("HTTP/1.1 101 "), "no 101: " + self.head.split("\r\n")[0])
        check(re.search(r"(?mi)^sec-websocket-accept: *" + re.escape(accept) + r"\r$", self.head), "wrong accept")

    def close(self):
        self.socket.close()

    def send(self, data, chop=0, pause_s=0.0):
        for at in range(0, len(data), chop or max(len(data), 1)):
            self.socket.sendall(data[at:at + chop] if chop else data)
            if pause_s:
                time.sleep(pause_s)

    def more(self):
        try:
            piece = self.socket.recv(1 << 20)
        except ConnectionResetError:
            piece = b""
        self.held += piece
        return len(piece) > 0

    def read_head(self):
        while b"\r\n\r\n" not in self.held:
            check(self.more(), "closed before the answer")
        head, _, rest = bytes(self.held).partition(b"\r\n\r\n")
        self.held = bytearray(rest)
        return head.decode("latin-1") + "\r\n"

    def take(self, size):
        while len(self.held) < size:
            check(self.more(), "closed too soon")
        out = bytes(self.held[:size])
        del self.held[:size]
        return out

    def read_frame(self):
        """(fin, opcode, payload) of the next frame, with the rules a server must keep."""
        first, second = self.take(2)
        check(first & 0x70 == 0, "a reserved bit in the answer")
        check(second & 0x80 == 0, "the server masks")
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(self.take(2), "big")
            check(size >= 126, "a length not in its shortest form")
        elif size == 127:
            size = int.from_bytes(self.take(8), "big")
            check(size >= 65536, "a length not in its shortest form")
        return bool(first & 0x80), first & 0x0F, self.take(size)

    def read_message(self):
        fin, opcode, payload = self.read_frame()
        while not fin:
            fin, _, more = self.read_frame()
            payload += more
        return opcode, payload

    def expect(self, opcode, payload):
        got = self.read_message()
        check(got == (opcode, payload), f"got opcode {got[0]}, {len(got[1])} bytes {got[1][:40]!r}; "
                                        f"expected {opcode}, {len(payload)} bytes {payload[:40]!r}")

    def expect_end(self):
        """The TCP connection ends with nothing more in it."""
        while self.more():
            pass
        check(not self.held, f"bytes after the Close frame: {bytes(self.held[:40])!r}")

    def expect_close(self, *codes):
        """A Close frame with one of these codes (None: an empty one), then the end."""
        opcode, payload = self.read_message()
        check(opcode == CLOSE, f"opcode {opcode} where Close was expected")
        check(len(payload) != 1, "a Close frame with half a code")
        code = int.from_bytes(payload[:2], "big") if payload else None
        check(code in codes, f"Close {code}, expected {codes}")
        payload[2:].decode("utf-8")
        self.expect_end()

    def say_goodbye(self):
        self.send(frame(CLOSE, (1000).to_bytes(2, "big")))
        self.expect_close(1000)


CASES = []


def case(number, what):
    def add(function):
        CASES.append((number, what, function))
        return function
    return add


def add(number, what, function):
    CASES.append((number, what, function))


def with_client(function):
    """A case that opens a connection first."""
    def run(address):
        client = Client(address)
        try:
            function(client)
        finally:
            client.close()
    return run


# ---- 0: the handshake (Autobahn takes it for granted)

def refusal(request, status):
    def run(address):
        with socket.create_connection(address, timeout=TIMEOUT_S) as plain:
            plain.sendall(request.replace("HOST", f"{address[0]}:{address[1]}").encode("latin-1"))
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = plain.recv(65536)
                check(piece, "closed without an answer")
                answer += piece
            check(answer.startswith(b"HTTP/1.1 %d " % status), answer.split(b"\r\n")[0].decode())
    return run


GOOD_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
UPGRADE = "Host: HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
add("0.1", "a plain GET", refusal("GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", 426))
add("0.2", "version 8", refusal("GET / HTTP/1.1\r\n" + UPGRADE + GOOD_KEY + "Sec-WebSocket-Version: 8\r\n\r\n", 426))
add("0.3", "no key", refusal("GET / HTTP/1.1\r\n" + UPGRADE + "Sec-WebSocket-Version: 13\r\n\r\n", 400))
add("0.4", "POST", refusal("POST / HTTP/1.1\r\n" + UPGRADE + GOOD_KEY + "Sec-WebSocket-Version: 13\r\n\r\n", 405))
add("0.5", "no Host", refusal("GET / HTTP/1.1\r\n\r\n", 400))
add("0.6", "garbage", refusal("\x16\x03\x01\x00\xf4\x01", 400))


@case("0.7", "offers of extensions and sub-protocols are declined by silence")
def _(address):
    client = Client(address, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                             "Sec-WebSocket-Protocol: chat\r\n")
    check("sec-websocket-extensions" not in client.head.lower(), "an extension was agreed on")
    check("sec-websocket-protocol" not in client.head.lower(), "a sub-protocol was agreed on")
    client.say_goodbye()
    client.close()


@case("0.8", "a frame in the same segment as the request")
def _(address):
    client = Client(address, after=frame(TEXT, b"early"))
    client.expect(TEXT, b"early")
    client.say_goodbye()
    client.close()


# ---- 1: framing

def echo(opcode, payload, chop=0):
    def run(client):
        client.send(frame(opcode, payload), chop)
        client.expect(opcode, payload)
        client.say_goodbye()
    return with_client(run)


for family, opcode, byte in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
    for index, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
        add(f"{family}.{index}", f"{size} bytes", echo(opcode, byte * size))
    add(f"{family}.8", "65536 bytes in chops of 997", echo(opcode, byte * 65536, 997))
    add(f"{family}.9", "300 bytes, byte by byte", echo(opcode, byte * 300, 1))

# ---- 2: ping and pong

for index, payload in enumerate((b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125), 1):
    @case(f"2.{index}", f"ping of {len(payload)} bytes")
    @with_client
    def _(client, payload=payload):
        client.send(frame(PING, payload))
        client.expect(PONG, payload)
        client.say_goodbye()


@case("2.5", "ping of 126 bytes")
@with_client
def _(client):
    client.send(frame(PING, b"\xfe" * 126))
    client.expect_close(1002)


@case("2.6", "ping of 125 bytes, byte by byte")
@with_client
def _(client):
    client.send(frame(PING, b"\xfe" * 125), 1)
    client.expect(PONG, b"\xfe" * 125)
    client.say_goodbye()


for index, payload in ((7, b""), (8, b"unsolicited pong payload")):
    @case(f"2.{index}", f"unsolicited pong of {len(payload)} bytes")
    @with_client
    def _(client, payload=payload):
        client.send(frame(PONG, payload))
        client.say_goodbye()


@case("2.9", "unsolicited pong, then ping")
@with_client
def _(client):
    client.send(frame(PONG, b"unsolicited") + frame(PING, b"ping payload"))
    client.expect(PONG, b"ping payload")
    client.say_goodbye()


for index, chop in ((10, 0), (11, 1)):
    @case(f"2.{index}", f"10 pings{', byte by byte' if chop else ''}")
    @with_client
    def _(client, chop=chop):
        client.send(b"".join(frame(PING, b"payload-%d" % i) for i in range(10)), chop)
        for i in range(10):
            client.expect(PONG, b"payload-%d" % i)
        client.say_goodbye()

# ---- 3, 4: reserved bits and opcodes


def broken(before, wrong, chop=0, code=1002):
    """Messages `before` are echoed, then the wrong bytes end the connection; the ping behind them is not answered."""
    def run(client):
        client.send(b"".join(frame(TEXT, text) for text in before) + wrong + frame(PING), chop)
        for text in before:
            client.expect(TEXT, text)
        client.expect_close(code)
    return with_client(run)


HELLO = b"Hello, world!"
add("3.1", "RSV 1", broken([], frame(TEXT, HELLO, rsv=1)))
add("3.2", "text, then RSV 2", broken([HELLO], frame(TEXT, HELLO, rsv=2)))
add("3.3", "text, then RSV 3, in chops", broken([HELLO], frame(TEXT, HELLO, rsv=3), 7))
add("3.4", "text, then RSV 4, byte by byte", broken([HELLO], frame(TEXT, HELLO, rsv=4), 1))
add("3.5", "binary with RSV 5", broken([], frame(BINARY, b"\x00\xff\xfe", rsv=5)))
add("3.6", "ping with RSV 6", broken([], frame(PING, HELLO, rsv=6)))
add("3.7", "close with RSV 7", broken([], frame(CLOSE, b"", rsv=7)))
for family, opcodes in (("4.1", (3, 4, 5, 6, 7)), ("4.2", (11, 12, 13, 14, 15))):
    for index, opcode in enumerate(opcodes, 1):
        add(f"{family}.{index}", f"opcode {opcode}",
            broken([HELLO] if index > 2 else [], frame(opcode, HELLO if index != 1 else b""), (0, 0, 0, 9, 1)[index - 1]))

# ---- 5: fragmentation


def pieces(sent, expected, chop=0):
    """Send frames, expect messages, then a clean end."""
    def run(client):
        client.send(b"".join(sent), chop)
        for opcode, payload in expected:
            client.expect(opcode, payload)
        client.say_goodbye()
    return with_client(run)


FIRST, LAST = frame(TEXT, b"fragment1", fin=False), frame(0, b"fragment2")
WHOLE = (TEXT, b"fragment1fragment2")
add("5.1", "a ping in two fragments", broken([], frame(PING, b"a", fin=False) + frame(0, b"b")))
add("5.2", "a pong in two fragments", broken([], frame(PONG, b"a", fin=False) + frame(0, b"b")))
for index, chop in ((3, 0), (4, 9), (5, 1)):
    add(f"5.{index}", f"two fragments, chop {chop}", pieces([FIRST, LAST], [WHOLE], chop))
for index, chop in ((6, 0), (7, 9), (8, 1)):
    add(f"5.{index}", f"a ping between fragments, chop {chop}",
        pieces([FIRST, frame(PING, b"ping"), LAST], [(PONG, b"ping"), WHOLE], chop))
for index, fin in ((9, True), (12, False)):
    for offset, chop in enumerate((0, 9, 1)):
        add(f"5.{index + offset}", f"a continuation of nothing, fin {fin}, chop {chop}",
            broken([], frame(0, b"non-continuation", fin=fin) + frame(TEXT, HELLO), chop))


@case("5.15", "a message, a continuation of nothing, a text")
@with_client
def _(client):
    client.send(FIRST + LAST + frame(0, b"fragment3", fin=False) + frame(TEXT, b"fragment4"))
    client.expect(*WHOLE)
    client.expect_close(1002)


for index, fin in ((16, False), (17, True)):
    add(f"5.{index}", f"continuations before each text, fin {fin}",
        broken([], b"".join(frame(0, b"fragment1", fin=fin) + FIRST + LAST for _ in range(2))))
add("5.18", "two fragments that are both text", broken([], FIRST + frame(TEXT, b"fragment2")))


@case("5.19", "five fragments with pings, sent with a pause")
@with_client
def _(client):
    client.send(frame(TEXT, b"1", fin=False) + frame(0, b"2", fin=False) + frame(PING, b"ping1"))
    client.expect(PONG, b"ping1")
    time.sleep(0.2)
    client.send(frame(0, b"3", fin=False) + frame(0, b"4", fin=False) + frame(PING, b"ping2") + frame(0, b"5"))
    client.expect(PONG, b"ping2")
    client.expect(TEXT, b"12345")
    client.say_goodbye()


add("5.20", "five fragments with pings, at once",
    pieces([frame(TEXT, b"1", fin=False), frame(PING, b"a"), frame(0, b"", fin=False), frame(PONG, b"x"),
            frame(PING, b"b"), frame(0, b"5")], [(PONG, b"a"), (PONG, b"b"), (TEXT, b"15")]))

# ---- 6: UTF-8

GREEK = "κόσμε".encode()
LONG = "Hello-µ@ßöäüàá-UTF-8!!".encode()
BAD = GREEK + b"\xed\xa0\x80" + b"edited"
add("6.1.1", "empty text", pieces([frame(TEXT)], [(TEXT, b"")]))
add("6.1.2", "three empty fragments", pieces([frame(TEXT, fin=False), frame(0, fin=False), frame(0)], [(TEXT, b"")]))
add("6.1.3", "empty fragments around one",
    pieces([frame(TEXT, fin=False), frame(0, b"middle frame payload", fin=False), frame(0)],
           [(TEXT, b"middle frame payload")]))
add("6.2.1", "valid, one fragment", pieces([frame(TEXT, LONG)], [(TEXT, LONG)]))
add("6.2.2", "valid, cut at a character", pieces([frame(TEXT, LONG[:9], fin=False), frame(0, LONG[9:])], [(TEXT, LONG)]))
add("6.2.3", "valid, byte fragments", pieces([fragments(TEXT, LONG, 1)], [(TEXT, LONG)]))
add("6.2.4", "valid, byte fragments, Greek", pieces([fragments(TEXT, GREEK, 1)], [(TEXT, GREEK)]))
add("6.3.1", "invalid, one fragment", broken([], frame(TEXT, BAD), code=1007))
add("6.3.2", "invalid, byte fragments", broken([], fragments(TEXT, BAD, 1), code=1007))


def fails_fast(parts):
    """All parts but the last are sent; the answer must come before the rest of the message is there."""
    def run(client):
        for part in parts:
            client.send(part)
            time.sleep(0.05)
        client.expect_close(1007)
    return with_client(run)


ABOVE = GREEK + b"\xf4\x90\x80\x80" + b"edited"
whole_frame = frame(TEXT, ABOVE)
add("6.4.1", "fails at the second of three fragments",
    fails_fast([frame(TEXT, GREEK, fin=False), frame(0, b"\xf4\x90\x80\x80", fin=False)]))
add("6.4.2", "fails at the byte, in a fragment",
    fails_fast([frame(TEXT, GREEK + b"\xf4", fin=False), frame(0, b"\x90", fin=False)]))
add("6.4.3", "fails within a frame, at the character", fails_fast([whole_frame[:6 + 11], whole_frame[17:21]]))
add("6.4.4", "fails within a frame, at the byte", fails_fast([whole_frame[:6 + 12], whole_frame[18:19]]))

VALID = [b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", b"\xef\xbf\xbf", b"\x7f", b"\xdf\xbf", b"\xc2\x80", b"\xe0\xa0\x80",
         b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf3\xbf\xbf\xbf",
         b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", b"\x00",
         b"\xef\xbf\xbe", b"\xef\xb7\x90", b"\xf0\x9f\xbf\xbe", b"\xf4\x8f\xbf\xbe"]
INVALID = [b"\xce\xba\xe1\xbd\xb9\xcf", b"\xce\xba\xe1\xbd", b"\xce", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf",
           b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xf4\x90\x80\x80", b"\x80", b"\xbf", b"\x80\xbf",
           b"\x80\xbf\x80\xbf\x80\xbf", b"\xc0 ", b"\xdf ", b"\xe0 ", b"\xef ", b"\xf0 ", b"\xf7 ", b"\xf8 ", b"\xfc ",
           b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
           b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf",
           b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xed\xa0\x80", b"\xed\xad\xbf",
           b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"hello\x80world",
           bytes(range(0x80, 0xC0)), bytes(byte for lead in range(0xC0, 0xE0) for byte in (lead, 0x20))]
for index, text in enumerate(VALID, 1):
    add(f"6.5.{index}", "valid " + text[:12].hex(), pieces([frame(TEXT, text), fragments(TEXT, text, 1)], [(TEXT, text)] * 2))
for index, text in enumerate(INVALID, 1):
    add(f"6.6.{index}", "invalid " + text[:12].hex(), broken([], frame(TEXT, text), code=1007))
    add(f"6.7.{index}", "invalid, byte fragments " + text[:12].hex(), broken([], fragments(TEXT, text, 1), 1, 1007))

# ---- 7: close


def close_frame(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def closing(sent, expected, *codes):
    def run(client):
        client.send(b"".join(sent))
        for opcode, payload in expected:
            client.expect(opcode, payload)
        client.expect_close(*codes)
    return with_client(run)


add("7.1.1", "a message, then close", closing([frame(TEXT, HELLO), close_frame(1000)], [(TEXT, HELLO)], 1000))
add("7.1.2", "two closes", closing([close_frame(1000), close_frame(1000)], [], 1000))
add("7.1.3", "a ping after close", closing([close_frame(1000), frame(PING)], [], 1000))
add("7.1.4", "a text after close", closing([close_frame(1000), frame(TEXT, HELLO)], [], 1000))
add("7.1.5", "close within a message", closing([FIRST, close_frame(1000), LAST], [], 1000))
add("7.1.6", "256 kB, then close, then a ping",
    closing([frame(TEXT, b"BAsd7&jh23" * 26214), close_frame(1000), frame(PING)], [(TEXT, b"BAsd7&jh23" * 26214)], 1000))
add("7.3.1", "an empty close", closing([close_frame()], [], None, 1000))
add("7.3.2", "half a code", closing([frame(CLOSE, b"a")], [], 1002))
add("7.3.3", "a code", closing([close_frame(1000)], [], 1000))
add("7.3.4", "a code and a reason", closing([close_frame(1000, b"Hello World!")], [], 1000))
add("7.3.5", "a reason of 123 bytes", closing([close_frame(1000, b"*" * 123)], [], 1000))
add("7.3.6", "a reason of 124 bytes", closing([close_frame(1000, b"*" * 124)], [], 1002))
add("7.5.1", "a reason that is not UTF-8", closing([close_frame(1000, BAD)], [], 1007))
for index, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1):
    add(f"7.7.{index}", f"code {code}", closing([close_frame(code)], [], code))
for index, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
    add(f"7.9.{index}", f"code {code}", closing([close_frame(code)], [], 1002))
add("7.13.1", "code 5000", closing([close_frame(5000)], [], 1002))
add("7.13.2", "code 65535", closing([close_frame(65535)], [], 1002))

# ---- framing that only a byte-level client can send wrong


def raw(data, code):
    return closing([data], [], code)


add("8.1", "a frame that is not masked", raw(b"\x81\x05Hello", 1002))
add("8.2", "125 in 16 bits", raw(b"\x81\xfe\x00\x7dabcd" + b"x" * 125, 1002))
add("8.3", "65535 in 64 bits", raw(b"\x82\xff" + (65535).to_bytes(8, "big") + b"abcd", 1002))
add("8.4", "the top bit of a 64-bit length", raw(b"\x82\xff\x80" + bytes(7) + b"abcd", 1002))
add("8.5", "2^63 - 1 bytes", raw(b"\x82\xff\x7f" + b"\xff" * 7 + b"abcd", 1009))
add("8.6", "one byte more than 32 MiB", raw(b"\x82\xff" + ((32 << 20) + 1).to_bytes(8, "big") + b"abcd", 1009))


@case("8.7", "disconnected within a frame, the next client is served")
def _(address):
    Client(address, after=frame(TEXT, HELLO)[:9]).close()
    echo(TEXT, HELLO)(address)


# ---- 9: sizes; 10: automatic fragmentation

KIB, MIB = 1 << 10, 1 << 20


def large(sizes, send):
    """Autobahn's sizes with --full, else up to 4 MiB."""
    for number, size in sizes:
        for family, opcode in send[0]:
            add(f"{family}.{number}", f"{size} bytes{send[1]}", send[2](opcode, size))


def payload_of(opcode, size):
    return (b"*" if opcode == TEXT else b"\xfe") * size


def whole(opcode, size):
    return echo(opcode, payload_of(opcode, size))


def in_fragments(total):
    def make(opcode, size):
        return pieces([fragments(opcode, payload_of(opcode, total), size)], [(opcode, payload_of(opcode, total))])
    return make


def in_chops(opcode, size):
    return echo(opcode, payload_of(opcode, MIB), size)


def round_trips(opcode, size, count=1000):
    def run(client):
        sent = frame(opcode, payload_of(opcode, size))
        for _ in range(count):
            client.send(sent)
            client.expect(opcode, payload_of(opcode, size))
        client.say_goodbye()
    return with_client(run)


def add_sizes(is_full):
    largest = 16 * MIB if is_full else 4 * MIB
    message = [(i, n) for i, n in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), 1) if n <= largest]
    fragment = list(enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB), 1))
    chop = list(enumerate((64, 128, 256, 512, KIB, 2 * KIB), 1))
    trip = list(enumerate((0, 16, 64, 256, KIB, 4 * KIB), 1))
    large(message, ((("9.1", TEXT), ("9.2", BINARY)), "", whole))
    large(fragment, ((("9.3", TEXT), ("9.4", BINARY)), " a fragment, 4 MiB", in_fragments(4 * MIB)))
    large(chop, ((("9.5", TEXT), ("9.6", BINARY)), " a chop, 1 MiB", in_chops))
    large(trip, ((("9.7", TEXT), ("9.8", BINARY)), ", 1000 round trips", round_trips))
    add("9.9.1", "one-byte fragments, 256 KiB", in_fragments(256 * KIB)(BINARY, 1))
    add("10.1.1", "65536 bytes in fragments of 1300",
        pieces([fragments(TEXT, b"*" * 65536, 1300)], [(TEXT, b"*" * 65536)]))


@case("9.10.1", "200 messages of random sizes, cut at random")
@with_client
def _(client):
    dice = random.Random(6455)
    for _ in range(200):
        payload = dice.randbytes(dice.choice((0, 1, 7, 125, 126, 1000, 5000)))
        sent = fragments(BINARY, payload, dice.randint(1, 400))
        while sent:
            cut = dice.randint(1, 900)
            client.send(sent[:cut])
            sent = sent[cut:]
        client.expect(BINARY, payload)
    client.say_goodbye()


# ---- the run


def run_all(address, only):
    failed = passed = 0
    for number, what, function in CASES:
        if not number.startswith(only):
            continue
        began = time.monotonic()
        try:
            function(address)
            result = "ok"
            passed += 1
        except (Failed, OSError, UnicodeDecodeError) as trouble:
            result = f"failed: {trouble or type(trouble).__name__}"
            failed += 1
        print(f"{number:8} {what}: {result} ({time.monotonic() - began:.2f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed == 0 and passed > 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", help="the echo server to start")
    arguments.add_argument("--at", metavar="HOST:PORT", help="an echo server that runs already")
    arguments.add_argument("--only", default="", help="cases whose number begins so")
    arguments.add_argument("--full", action="store_true", help="sizes up to 16 MiB")
    options = arguments.parse_args()
    if (options.program is None) == (options.at is None):
        arguments.error("give the echo program, or --at HOST:PORT")
    add_sizes(options.full)
    if options.at:
        host, _, port = options.at.rpartition(":")
        return 0 if run_all((host, int(port)), options.only) else 1
    with subprocess.Popen([options.program, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            match = re.fullmatch(r"listening ws://([^:]+):(\d+)\n", line)
            if match is None:
                print(f"the server did not say where it listens: {line!r}")
                return 1
            is_good = run_all((match[1], int(match[2])), options.only)
        finally:
            server.terminate()
        code = server.wait(timeout=TIMEOUT_S)
        if code != 0:
            print(f"the server ended with {code}")
        return 0 if is_good and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
