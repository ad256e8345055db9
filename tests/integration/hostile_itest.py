#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile clients: each gets a proper error, nobody else notices, memory stays bounded."""
import os
import random
import resource
import socket
import struct
import threading
import time

from nb import Server, run_tests, wait_for
from rawws import Closed, RawWs, Refused

BOOK = "H0EUASP0"
SERVE = ("serve", "--feed", "sim", "--rate", "1000")
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


class Witness:
    """A well-behaved client that reads all keys all the time; its stream must not falter."""

    def __init__(self, server):
        self.ws = RawWs(server)
        self.ws.ask(BOOK, "*")
        assert self.ws.code() == "OPSP0000"
        self.bytes = 0
        self.ws.socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := self.ws.socket.recv(1 << 20):
                self.bytes += len(data)
        except OSError:
            pass

    def is_well(self):
        before = self.bytes
        time.sleep(0.5)
        return self.bytes - before > 10 * 150  # of about 500 frames


def raw(server, data, wait=3):
    """Send bytes; what comes back until the server closes or the time is over."""
    with socket.create_connection((server.host, server.port), timeout=wait) as s:
        got = b""
        try:
            s.sendall(data)
            while chunk := s.recv(65536):
                got += chunk
        except (TimeoutError, socket.timeout, ConnectionResetError, BrokenPipeError):
            pass
        return got


def test_garbage_instead_of_http():
    with Server(*SERVE) as server:
        witness = Witness(server)
        host = f"Host: {server.host}:{server.port}\r\n".encode()
        dice = random.Random(1)
        for _ in range(50):
            raw(server, dice.randbytes(dice.randrange(1, 5000)) + b"\r\n\r\n", 0.2)
        for data, status in ((b"\x16\x03\x01\x02\x00\x01", None), (b"GET / HTTP/1.1\r\n\r\n", b"400"),
                             (b"GET / HTTP/1.1\r\n" + host + b"Content-Length: x\r\n\r\n", b"400"),
                             (b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
                             (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", b"400"),
                             (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 100000 + b"\r\n\r\n", b"431"),
                             (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"414"),
                             (b"POST /oauth2/Approval HTTP/1.1\r\n" + host + b"Content-Length: 99999999999\r\n\r\n", b"413"),
                             (b"GET / HTTP/2.0\r\n" + host + b"\r\n", b"505")):
            answer = raw(server, data)
            assert status is None or answer.split()[1:2] == [status], (data[:60], answer[:80])
        assert witness.is_well()


def test_slow_headers_are_ended_and_cost_nothing():
    with Server(*SERVE) as server:
        witness = Witness(server)
        slow = [socket.create_connection((server.host, server.port)) for _ in range(200)]
        begin = time.monotonic()
        open_ = set(slow)
        for s in slow:
            s.sendall(b"GET / HT")
        while open_ and time.monotonic() - begin < 20:
            time.sleep(1)
            for s in list(open_):
                try:
                    s.sendall(b"T")
                    s.setblocking(False)
                    if s.recv(4096) == b"" or True:
                        open_.discard(s)
                except BlockingIOError:
                    s.setblocking(True)
                except OSError:
                    open_.discard(s)
        assert not open_, f"{len(open_)} slow connections still open after 20 s"
        assert time.monotonic() - begin > 5
        for s in slow:
            s.close()
        assert witness.is_well()


def test_websocket_crimes_get_their_close_code():
    with Server(*SERVE) as server:
        witness = Witness(server)
        crimes = [
            (bytes([0x81, 0x05]) + b"hello", 1002),                             # not masked
            (bytes([0xC1, 0x80]) + b"\0\0\0\0", 1002),                          # reserved bit
            (bytes([0x83, 0x80]) + b"\0\0\0\0", 1002),                          # reserved opcode
            (bytes([0x89, 0xFE, 0x00, 0x7E]) + b"\0" * 130, 1002),              # control over 125
            (bytes([0x09, 0x80]) + b"\0\0\0\0", 1002),                          # control in fragments
            (bytes([0x80, 0x80]) + b"\0\0\0\0", 1002),                          # continuation of nothing
            (bytes([0x81, 0x82]) + b"\0\0\0\0" + b"\xC0\x80", 1007),            # not UTF-8
            (bytes([0x81, 0xFF]) + struct.pack(">Q", 1 << 40) + b"\0\0\0\0", 1009),
            (bytes([0x88, 0x82]) + b"\0\0\0\0" + struct.pack(">H", 1005), 1002),
        ]
        for data, code in crimes:
            ws = RawWs(server)
            ws.socket.sendall(data)
            try:
                while True:
                    ws.next(3)
            except Closed as closed:
                assert closed.code == code, (data, closed.code)
        dice = random.Random(2)
        for _ in range(100):
            ws = RawWs(server)
            try:
                ws.socket.sendall(dice.randbytes(dice.randrange(1, 3000)))
            except OSError:
                pass
            ws.close()
        assert witness.is_well()


def test_floods_of_subscribes_stay_bounded():
    with Server(*SERVE) as server:
        witness = Witness(server)
        before = server.memory_kb()
        ws = RawWs(server)
        for i in range(20000):
            ws.ask(BOOK, f"F{i:05d}")
            if i % 200 == 199:
                for _ in range(200):
                    ws.code()
        full = server.memory_kb()
        ws.close()
        assert full - before < 64 * 1024, (before, full)
        # one that never reads its answers
        deaf = RawWs(server, receive_buffer=4096)
        try:
            deaf.socket.settimeout(2)
            for i in range(200000):
                deaf.ask(BOOK, f"G{i % 10000:05d}")
        except OSError:
            pass
        assert server.memory_kb() - before < 96 * 1024
        assert witness.is_well()


def test_thousands_of_connects():
    with Server(*SERVE) as server:
        witness = Witness(server)
        for _ in range(3):
            crowd = []
            for _ in range(1000):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((server.host, server.port))
                crowd.append(s)
            assert witness.is_well()
            for i, s in enumerate(crowd):
                if i % 2:  # half of them by RST
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
        assert witness.is_well()
        wait_for("all are gone", lambda: server.json("/v1/status")["gateway"]["clients"] <= 1)


def test_the_one_too_many_is_told():
    with Server(*SERVE, "--clients-max", "20") as server:
        clients = [RawWs(server) for _ in range(19)]
        refused = None
        for _ in range(5):
            try:
                clients.append(RawWs(server))
            except (Refused, Closed, ConnectionError) as no:
                refused = no
        assert isinstance(refused, Refused) and refused.status == 503, refused
        for ws in clients:
            ws.close()
        wait_for("room again", lambda: try_open(server))


def try_open(server):
    try:
        RawWs(server).close()
        return True
    except (Refused, Closed, ConnectionError):
        return False


def test_who_does_not_read_is_closed_or_conflated_and_costs_others_nothing():
    with Server("serve", "--feed", "sim", "--rate", "20000") as server:
        wait_for("books", lambda: len(server.json("/v1/books")["books"]) > 100, 20)
        witness = Witness(server)
        before = server.memory_kb()
        plain = [RawWs(server, receive_buffer=4096) for _ in range(20)]
        latest = [RawWs(server, "/+conflate", receive_buffer=4096) for _ in range(20)]
        for ws in plain + latest:
            ws.ask(BOOK, "*")
        wait_for("the slow ones are closed", lambda: counter(server, "slow") >= 20, 60)
        assert witness.is_well()
        for ws in plain:
            try:
                while True:
                    ws.next(5)
            except Closed as closed:
                assert closed.code in (1008, None), closed.code
            except ConnectionResetError:
                pass
        assert counter(server, "conflated") > 0
        for ws in latest:
            assert len(ws.frames(0.2)) > 0, "still connected, and gets data"
        assert server.memory_kb() - before < 128 * 1024


def counter(server, word):
    total = 0
    for line in server.http("GET", "/metrics")[2].decode().splitlines():
        if not line.startswith("#") and word in line.split()[0]:
            total += float(line.split()[1])
    return total


def test_half_open_and_vanished_clients():
    with Server(*SERVE) as server:
        witness = Witness(server)
        for i in range(100):
            ws = RawWs(server)
            ws.ask(BOOK, "*")
            if i % 3 == 0:
                ws.socket.shutdown(socket.SHUT_WR)
            elif i % 3 == 1:
                ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ws.close()
        wait_for("they are gone", lambda: server.json("/v1/status")["gateway"]["clients"] <= 1)
        assert witness.is_well()
        assert os.path.exists(f"/proc/{server.process.pid}")


run_tests(globals())
