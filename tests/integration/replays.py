# SPDX-License-Identifier: Apache-2.0
"""What the tests of replays share: nights recorded from the look-alike, and clients that keep all that comes."""
import json
import os
import struct
import tempfile
import threading
import time

import journal
from nb import Server, wait_for
from rawws import RawWs

FOLDER = tempfile.TemporaryDirectory(prefix="nightbook-replay-")
JSON_TYPE = {"Content-Type": "application/json"}
SLOW = bool(os.environ.get("NB_SANITIZE"))


def path_of(name):
    return os.path.join(FOLDER.name, name)


def read_texts(data):
    """Whole text messages of a server's bytes, and its Close."""
    at, texts, code = 0, [], None
    while at + 2 <= len(data):
        opcode, size, begin = data[at] & 15, data[at + 1] & 127, at + 2
        if size == 126:
            size, begin = struct.unpack(">H", data[at + 2:at + 4])[0], at + 4
        elif size == 127:
            size, begin = struct.unpack(">Q", data[at + 2:at + 10])[0], at + 10
        if begin + size > len(data):
            break
        if opcode == 1:
            texts.append(data[begin:begin + size])
        elif opcode == 8:
            code = struct.unpack(">H", data[begin:begin + 2])[0]
        at = begin + size
    return texts, code


class Listener:
    """A client that keeps all that comes, read by a thread of its own."""

    def __init__(self, server, asks, path="/", wait_answers=True, receive_buffer=None):
        self.ws = RawWs(server, path, receive_buffer=receive_buffer)
        for tr_id, tr_key in asks:
            self.ws.ask(tr_id, tr_key)
            if wait_answers:
                assert self.ws.code() == "OPSP0000"
        self.chunks = [self.ws.buffer]
        self.thread = threading.Thread(target=self._read, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _read(self):
        self.ws.socket.settimeout(20)
        try:
            while data := self.ws.socket.recv(1 << 20):
                self.chunks.append(data)
        except OSError:
            pass

    def texts(self):
        return read_texts(b"".join(self.chunks))[0]

    def frames(self):
        return [text for text in self.texts() if text[:1] in (b"0", b"1")]

    def finish(self, seconds=15):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the replay did not end"
        return self.frames()


def state(server):
    return server.json("/v1/replay")


def post(server, command, expect=200):
    status, _, body = server.http("POST", "/v1/replay", json.dumps(command), JSON_TYPE)
    assert status == expect, (command, status, body)
    return json.loads(body)


def replay(path, *args):
    return Server("replay", path, *args)


def record(name, seconds, *args):
    """A simulated night, served and recorded for so long."""
    with Server("serve", "--journal", path_of(name), "--at", "23:59:57", *args) as server:
        time.sleep(seconds)
        wait_for("frames", lambda: server.json("/v1/status")["recorder"]["lines"] > 50)
    found = journal.all_lines(path_of(name))
    return [line for line in found if line.kind == "frame"]


_recorded = {}


def quiet_night():
    """About 300 frames a second, some seconds over midnight."""
    if "quiet" not in _recorded:
        _recorded["quiet"] = record("quiet", 4, "--rate", "300")
    return path_of("quiet"), _recorded["quiet"]


def busy_night():
    if "busy" not in _recorded:
        _recorded["busy"] = record("busy", 3, "--rate", "4000" if SLOW else "12000")
    return path_of("busy"), _recorded["busy"]
