# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client that can misbehave: raw frames over a raw socket, standard library only."""
import base64
import hashlib
import json
import os
import socket
import struct
import time

REQUEST = ('{"header":{"approval_key": "%s","custtype":"P","tr_type":"%s","content-type":"utf-8"},'
           '"body":{"input":{"tr_id":"%s","tr_key":"%s"}}}')


class Refused(Exception):
    """The upgrade was answered by something else than 101."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:200]}")
        self.status, self.body = status, body


class Closed(Exception):
    """The connection ended; `code` is None without a Close frame."""

    def __init__(self, code, reason=b""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class RawWs:
    def __init__(self, server, path="/tryitout", headers=None, receive_buffer=None, host=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(5)
        self.socket.connect((server.host, server.port))
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or server.host + ':' + str(server.port)}",
                 "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
                 "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = int(head.split()[1])
        self.headers = {name.strip().lower(): value.strip() for name, value in
                        (line.split(":", 1) for line in head.decode().split("\r\n")[1:])}
        if status != 101:
            raise Refused(status, head + b"\r\n\r\n" + self.buffer)
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert self.headers["sec-websocket-accept"] == accept.decode()
        assert "sec-websocket-extensions" not in self.headers

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(None)
        self.buffer += data

    def frame(self, opcode, payload, final=True):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([(0x80 if final else 0) | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))

    def send(self, text):
        self.socket.sendall(self.frame(1, text.encode() if isinstance(text, str) else text))

    def ask(self, tr_id, tr_key, tr_type="1", key="any"):
        self.send(REQUEST % (key, tr_type, tr_id, tr_key))

    def next_frame(self, timeout=5):
        self.socket.settimeout(timeout)
        while True:
            if len(self.buffer) >= 2:
                size, at = self.buffer[1] & 0x7F, 2
                assert not self.buffer[1] & 0x80, "a server's frame is never masked"
                if size == 126 and len(self.buffer) >= 4:
                    size, at = struct.unpack(">H", self.buffer[2:4])[0], 4
                elif size == 127 and len(self.buffer) >= 10:
                    size, at = struct.unpack(">Q", self.buffer[2:10])[0], 10
                if (size < 126 or at > 2) and len(self.buffer) >= at + size:
                    opcode, payload = self.buffer[0] & 15, self.buffer[at:at + size]
                    self.buffer = self.buffer[at + size:]
                    return opcode, payload
            self._more()

    def next(self, timeout=5):
        """The next text message; PINGs are skipped, a Close raises."""
        while True:
            opcode, payload = self.next_frame(timeout)
            if opcode == 8:
                raise Closed(struct.unpack(">H", payload[:2])[0] if payload else 1005, payload[2:])
            if opcode == 1:
                return payload.decode()

    def answer(self, timeout=5):
        """The next JSON answer that is neither PINGPONG nor a mark; frames on the way are dropped."""
        while True:
            text = self.next(timeout)
            if text[0] == "{" and '"PINGPONG"' not in text and '"NIGHTBOOK"' not in text:
                return json.loads(text)

    def mark(self, msg_cd, timeout=5):
        """The next mark of that kind."""
        while True:
            text = self.next(timeout)
            if '"NIGHTBOOK"' in text and json.loads(text)["body"]["msg_cd"] == msg_cd:
                return json.loads(text)

    def code(self, timeout=5):
        return self.answer(timeout)["body"]["msg_cd"]

    def frames(self, seconds):
        """All data frames within so many seconds."""
        end, found = time.monotonic() + seconds, []
        while (left := end - time.monotonic()) > 0:
            try:
                text = self.next(left)
            except (TimeoutError, socket.timeout):
                break
            if text[0] in "01":
                found.append(text)
        return found

    def close(self):
        self.socket.close()
