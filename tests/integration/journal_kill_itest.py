#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Journal first: whatever left the process, to clients or in an answer, is in the journal, at whatever moment it is killed.

`nightbook serve` runs under load and is killed with SIGKILL at random moments; then what its clients hold is compared
with the lines on disk, key by key and record by record. NB_KILLS=N kills N times."""
import collections
import hashlib
import json
import os
import random
import selectors
import shutil
import socket
import tempfile
import threading
import time

import journal
from live import messages
from nb import LONG, Server, run_tests
from rawws import RawWs

KILLS = int(os.environ.get("NB_KILLS") or (300 if LONG else 20))
SANITIZED = bool(os.environ.get("NB_SANITIZE"))
BOOK = "H0EUASP0"


class Listener:
    """A client that keeps every byte until its connection is gone."""

    def __init__(self, server, path, topics, is_whole=False):
        self.ws, self.data, self.path, self.is_whole = RawWs(server, path), bytearray(), path, is_whole
        for tr_id, tr_key in topics:
            self.ws.ask(tr_id, tr_key)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        self.data += self.ws.buffer
        self.ws.socket.settimeout(20)
        try:
            while data := self.ws.socket.recv(1 << 20):
                self.data += data
        except OSError:
            pass  # killed: what the kernel had of it was read

    def frames(self):
        """Data messages as bytes, in order."""
        self.thread.join(25)
        assert not self.thread.is_alive()
        self.ws.close()
        return [text for text, _ in messages(b"\r\n\r\n" + bytes(self.data)) if text[:1] in b"01"]


class Crowd:
    """Many clients of every book, so that the server spends its time between one client's write and the next one's: a
    frame that some have and the disk has not would show."""

    def __init__(self, server, count):
        self.clients = [RawWs(server, "/") for _ in range(count)]
        self.data = [bytearray() for _ in self.clients]
        for ws in self.clients:
            ws.ask(BOOK, "*")
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        selector = selectors.DefaultSelector()
        for i, ws in enumerate(self.clients):
            self.data[i] += ws.buffer
            ws.socket.setblocking(False)
            selector.register(ws.socket, selectors.EVENT_READ, i)
        while selector.get_map():
            for key, _ in selector.select(20):
                try:
                    data = key.fileobj.recv(1 << 20)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                self.data[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)

    def frames(self):
        """Of each client, its data messages in order."""
        self.thread.join(25)
        assert not self.thread.is_alive()
        for ws in self.clients:
            ws.close()
        for data in self.data:
            yield [text for text, _ in messages(b"\r\n\r\n" + bytes(data)) if text[:1] in b"01"]


class Asker:
    """Reads books over HTTP, again and again, and keeps the last whole answer."""

    def __init__(self, server):
        self.server, self.books, self.answers = server, None, 0
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self):
        try:
            with socket.create_connection((self.server.host, self.server.port), 20) as connection:
                while True:
                    connection.sendall(b"GET /v1/books/H0EUASP0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    body = self._answer(connection)
                    if body is None:
                        return
                    self.books, self.answers = body, self.answers + 1
        except OSError:
            pass

    @staticmethod
    def _answer(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(1 << 20)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(fields[b"content-length"])
        while len(body) < size:
            more = connection.recv(1 << 20)
            if not more:
                return None
            body += more
        return body if head.split()[1] == b"200" else None

    def last(self):
        self.thread.join(25)
        assert not self.thread.is_alive()
        return json.loads(self.books) if self.books else None


def records(frame):
    """(tr_id, key, record) of each record of a frame."""
    _, tr_id, count, payload = frame.split(b"|", 3)
    fields = payload.split(b"^")
    width = len(fields) // int(count)
    assert width * int(count) in (len(fields), len(fields) - 1), frame
    for i in range(int(count)):
        row = fields[i * width:(i + 1) * width]
        yield tr_id, row[0], b"^".join(row)


def by_key(frames):
    found = collections.defaultdict(list)
    for frame in frames:
        for tr_id, key, record in records(frame):
            found[tr_id, key].append(record)
    return found


def is_run_of(run, whole):
    """Whether `run` stands in `whole` without a hole."""
    first, size = run[0], len(run)
    return any(whole[at] == first and whole[at:at + size] == run for at in range(len(whole) - size + 1))


def codes_of(server, count):
    keys = [row["tr_key"] for row in server.json("/v1/slots")["slots"] if row["tr_id"] == BOOK]
    assert len(keys) >= count, len(keys)
    return keys[:count]


def begin(directory, seed, *more):
    """Server, listeners, crowd, asker: all under load."""
    rate = "1500" if SANITIZED else "6000"
    server = Server("serve", "--journal", directory, "--rate", rate, "--seed", str(seed), "--keys", "200", *more)
    try:
        return server, *clients_of(server)
    except BaseException:
        server.process.kill()
        raise


def clients_of(server):
    keys = codes_of(server, 60)
    listeners = [Listener(server, "/", [(BOOK, "*")], is_whole=True), Listener(server, "/+last", [(BOOK, "*")]),
                 Listener(server, "/+tidy", [(BOOK, "*")])]
    listeners += [Listener(server, "/", [(BOOK, key) for key in keys[i * 15:i * 15 + 15]]) for i in range(4)]
    return listeners, Crowd(server, 15 if SANITIZED else 40), Asker(server)


def kill(server, seconds):
    time.sleep(seconds)
    server.process.kill()
    server.process.wait(10)


def difference(run, whole):
    """Words for people: where a run leaves what is on disk."""
    starts = [at for at in range(len(whole)) if whole[at] == run[0]]
    if not starts:
        return f"its first, {run[0]}, is not on disk"
    best = max(next((i for i, record in enumerate(run) if whole[at + i:at + i + 1] != [record]), len(run)) for at in starts)
    return f"{best} of {len(run)} follow each other on disk, then comes {run[best]} " \
           f"({'elsewhere' if run[best] in whole else 'nowhere'} on disk) after {run[best - 1]}"


def check_listener(listener, frames, recorded):
    mine = listener.frames()
    if not mine:
        return 0
    if listener.is_whole:
        assert is_run_of(mine, frames), f"a `*` client: {difference(mine, frames)}"
    for name, run in by_key(mine).items():
        assert name in recorded, f"nothing of {name} is on disk"
        assert is_run_of(run, recorded[name]), f"{listener.path} {name}: {difference(run, recorded[name])}"
    return len(mine)


def check_books(books, found):
    """Each book that was told is of a frame on disk, and of no more frames than are there."""
    times = collections.defaultdict(set)
    counts = collections.Counter()
    for line in found:
        for tr_id, key, _ in records(line.payload):
            times[tr_id, key].add(line.recv_ns)
            counts[tr_id, key] += 1
    for book in books["books"]:
        name = book["tr_id"].encode(), book["tr_key"].encode()
        assert book["recv_ns"] in times[name], f"a book was told that is not on disk: {book}"
        assert book["update_count"] <= counts[name], f"{name}: {counts[name]} on disk, told {book['update_count']}"
    return len(books["books"])


def check_marks(found, before):
    """A run begins with a segment of its own, which names the one before."""
    start = found[0].mark()
    assert found[0].kind == "start" and found[0].link == 0, found[0].payload
    assert start["format"] == 1 and (not before or start["after"]["segment"] == before), (before, start)
    connects = journal.of_kind(found, "connect")
    assert connects and connects[0].link >= 1
    return journal.of_kind(found, "start")[-1].mark()["segment"]


def verify(directory):
    """Nothing is damaged but the tail that a kill may tear."""
    report = journal.command("verify", directory, "--json", expect=(0, journal.EXIT_BROKEN))
    for segment in map(json.loads, report.splitlines()):
        kinds = {place["kind"] for place in segment["places"]}
        assert kinds <= {"torn"} and segment["damages"] == len(segment["places"]), segment
        assert segment["state"] != "damaged" or kinds, segment


def storm(kills, check_every, *more):
    directory = tempfile.mkdtemp(prefix="nightbook-kill-")
    seed = int(os.environ.get("NB_SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"seed {seed} (NB_SEED repeats it)", flush=True)
    chance = random.Random(seed)
    seen, before = collections.Counter(), ""
    hashes = {}
    try:
        for i in range(kills):
            server, listeners, crowd, asker = begin(directory, seed + i, *more)
            kill(server, chance.uniform(0.05, 0.3))
            paths = [path for path in journal.segments(directory) if journal.name(path) not in hashes]
            assert paths and (len(paths) == 1 or "--segment-size" in more), f"a restart makes one new segment: {paths}"
            contents = {journal.name(path): journal.content(path) for path in paths}
            found = [line for data in contents.values() for line in journal.lines(data)]
            before = check_marks(found, before)
            frames = [line.payload for line in journal.of_kind(found, "frame")]
            books = [frame for frame in frames if frame.startswith(b"0|" + BOOK.encode())]
            recorded = by_key(frames)
            for listener in listeners:
                seen["messages"] += check_listener(listener, books, recorded)
            for mine in crowd.frames():
                assert not mine or is_run_of(mine, books), f"one of the crowd: {difference(mine, books)}"
                seen["messages"] += len(mine)
            if told := asker.last():
                seen["books"] += check_books(told, journal.of_kind(found, "frame"))
            seen["answers"] += asker.answers
            seen["frames"] += len(frames)
            hashes |= {name: hashlib.sha256(data).digest() for name, data in contents.items()}
            if (i + 1) % check_every == 0 or i + 1 == kills:
                verify(directory)
        for path in journal.segments(directory):
            digest = hashlib.sha256(journal.content(path)).digest()
            assert digest == hashes[journal.name(path)], f"{path} was changed by a later run"
        print(f"{kills} kills: {seen['frames']} frames on disk; {seen['messages']} messages and {seen['answers']} answers "
              f"with {seen['books']} books compared", flush=True)
        assert seen["messages"] > kills * 100 and seen["books"] > kills, seen
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_what_a_client_has_is_on_disk_whenever_it_is_killed():
    storm(KILLS, 50, "--pack-level", "0")


def test_while_segments_are_ended_and_packed():
    storm(max(KILLS // 5, 4), 5, "--pack-level", "1", "--segment-size", "1")


if __name__ == "__main__":
    run_tests(globals())
