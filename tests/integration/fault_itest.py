# SPDX-License-Identifier: Apache-2.0
"""Every fault of `nightbook sim`, started as a user starts it and seen from a raw socket."""
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

from nb import HERE, PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs, REQUEST

AT = "2026-11-20T20:00:00+09:00"
FAST = ("--at", AT, "--rate", "2000", "--keys", "20")
BUSY = "H0MFASP0", "A01612"  # the front future, which moves most


def ask_approval(sim, appkey="APPKEY", timeout=5):
    body = json.dumps({"grant_type": "client_credentials", "appkey": appkey, "secretkey": "SECRET"})
    status, _, answer = sim.http("POST", "/oauth2/Approval", body, timeout=timeout)
    return status, json.loads(answer)


def approval(sim, appkey="APPKEY"):
    status, answer = ask_approval(sim, appkey)
    assert status == 200, (status, answer)
    return answer["approval_key"]


def sim_with(*faults, more=FAST):
    return Server("sim", *more, *(f"--fault={fault}" for fault in faults))


def session(sim, key=None, register=True):
    client = RawWs(sim)
    if register:
        client.ask(*BUSY, key=key or approval(sim))
        assert client.code() == "OPSP0000"
    return client


def first_code(sim, key=None):
    client = RawWs(sim)
    client.ask(*BUSY, key=key or approval(sim))
    return client.code()


def end_of(client, timeout=8):
    """How the connection ends: a Close code, "eof", "rst"; None when it does not."""
    end = time.monotonic() + timeout
    try:
        while (left := end - time.monotonic()) > 0:
            client.next_frame_or_close(left)
    except Closed as closed:
        return closed.code or "eof"
    except ConnectionResetError:
        return "rst"
    except (TimeoutError, socket.timeout):
        pass
    return None


def next_frame_or_close(self, timeout):
    opcode, payload = self.next_frame(timeout)
    if opcode == 8:
        raise Closed(int.from_bytes(payload[:2], "big") if payload else 1005)
    return opcode, payload


RawWs.next_frame_or_close = next_frame_or_close


# ---- the command line ----

def help_rows():
    """{name: (parameters, sentence)} of --help"""
    text = subprocess.run([PROGRAM, "sim", "--help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^  ([a-z0-9-]+) +((?:\w+=\S+(?:, )?)+)\n {20}(\S.*)$", text, re.MULTILINE)
    assert len(rows) == 29, [row[0] for row in rows]
    return {name: (params, sentence) for name, params, sentence in rows}


def test_the_document_lists_the_faults_of_the_program():
    with open(os.path.join(HERE, "../../docs/simulator.md"), encoding="utf-8") as file:
        text = file.read()
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| `([^`]+)` \| ", text, re.MULTILINE)
    assert {name: params for name, params in rows} == {name: row[0] for name, row in help_rows().items()}
    for name in help_rows():
        assert re.search(rf"--fault[= ]'?{name}\b", text), f"no example of {name}"


def test_every_example_of_the_document_starts():
    with open(os.path.join(HERE, "../../docs/simulator.md"), encoding="utf-8") as file:
        faults = sorted(set(re.findall(r"--fault[= ]([a-z0-9-]+(?::[^\s`]+)?)", file.read())))
    assert len(faults) >= 29, faults
    for fault in faults:
        sim_with(fault).stop()


def test_wrong_faults_are_told():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# comment\n+10s eof\n\n+x silent\n")
        for arguments, word in ((["--fault", "garbge"], "did you mean garbage?"), (["--fault", "zzz"], "--help"),
                                (["--fault", "eof:after"], "\"after\" is no after"),
                                (["--fault", "eof:5s,until=9"], "eof has no \"until\""),
                                (["--fault", "full:x"], "whole number"), (["--fault", "eof:chance=2"], "probability"),
                                (["--fault", "eof:5s,after=6s"], "after twice"),
                                (["--fault-script", path], f"{path}: line 4: \"+x\" is no time"),
                                (["--fault-script", "/nonexistent/x"], "/nonexistent/x")):
            done = subprocess.run([PROGRAM, "sim", "--listen", "127.0.0.1:0", *arguments], capture_output=True,
                                  text=True, timeout=10, check=False)
            assert done.returncode == (71 if "/nonexistent/x" in arguments else 64), (arguments, done)
            assert word in done.stderr, (arguments, done.stderr)


# ---- who gets a session ----

def test_in_use():
    with sim_with("in-use:2s") as sim:
        key = approval(sim)
        assert first_code(sim, key) == "OPSP8996"
        time.sleep(2.1)
        assert first_code(sim, key) == "OPSP0000"


def test_in_use_the_first_times():
    with sim_with("in-use:3600,first=2") as sim:
        key = approval(sim)
        assert [first_code(sim, key) for _ in range(3)] == ["OPSP8996", "OPSP8996", "OPSP0000"]


def test_hold():
    with sim_with("hold:1s") as sim:
        key = approval(sim)
        client = session(sim, key)
        other = session(sim, approval(sim, "OTHER"))  # another appkey is another matter
        client.close()
        time.sleep(0.2)
        assert first_code(sim, key) == "OPSP8996"
        wait_for("the hold is over", lambda: first_code(sim, key) == "OPSP0000", 4)
        assert other.frames(0.3)


def test_full():
    with sim_with("full:3") as sim:
        client, key = RawWs(sim), approval(sim)
        codes = []
        for i in range(5):
            client.ask("H0EUASP0", f"X{i}", key=key)
            codes.append(client.code())
        assert codes == ["OPSP0000"] * 3 + ["OPSP0008"] * 2, codes


def test_bad_approval():
    with sim_with("bad-approval:first=1") as sim:
        key = approval(sim)
        client = RawWs(sim)
        client.ask(*BUSY, key=key)
        body = client.answer()["body"]
        assert body["msg_cd"] == "OPSP0011" and key in body["msg1"], body
        client.ask(*BUSY, key=key)
        assert client.code() == "OPSP0000"
        assert key not in "".join(sim.log), "no log holds an approval key"


def test_approval_refused_locked_out_and_slow():
    with sim_with("approval-refused:EGW00206,status=500,first=1", "approval-lockout:2,lasts=1s") as sim:
        status, answer = ask_approval(sim)
        assert (status, answer["error_code"]) == (500, "EGW00206")
        assert [ask_approval(sim)[0] for _ in range(3)] == [200, 200, 403]
        status, answer = ask_approval(sim)
        assert (status, answer["error_code"]) == (403, "EGW00103")
        assert ask_approval(sim, "OTHER")[0] == 200
        wait_for("the lock-out ends", lambda: ask_approval(sim)[0] == 200, 4)
    with sim_with("approval-slow:1s") as sim:
        begin = time.monotonic()
        approval(sim)
        assert 0.9 < time.monotonic() - begin < 2
        with socket.create_connection((sim.host, sim.port)) as gone:  # leaves before its answer
            gone.sendall(b"POST /oauth2/Approval HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        approval(sim)


# ---- answers ----

def test_answers_late_missing_null_and_out_of_order():
    with sim_with("answer-late:500ms") as sim:
        client, key = RawWs(sim), approval(sim)
        begin = time.monotonic()
        for i in range(3):
            client.ask("H0EUASP0", f"X{i}", key=key)
        assert [client.answer()["header"]["tr_key"] for _ in range(3)] == ["X0", "X1", "X2"]
        assert 0.45 < time.monotonic() - begin < 1.5
    with sim_with("answer-missing:every=2") as sim:
        client, key = RawWs(sim), approval(sim)
        for i in range(4):
            client.ask("H0EUASP0", f"X{i}", key=key)
        assert [client.answer()["header"]["tr_key"] for _ in range(2)] == ["X0", "X2"]
        client.ask("H0EUASP0", "X1", key=key)  # it was done, only not told
        assert client.code() == "OPSP0002"
    with sim_with("answer-null:first=1") as sim:
        client, key = RawWs(sim), approval(sim)
        client.ask("H0EUASP0", "X0", key=key)
        answer = client.answer()
        assert answer["header"]["tr_id"] == "(null)" and answer["header"]["tr_key"] == "", answer
        assert answer["body"]["msg_cd"] == "OPSP0000"
    with sim_with("answer-order:wait=1s,every=1,first=1") as sim:
        client, key = RawWs(sim), approval(sim)
        client.ask("H0EUASP0", "X0", key=key)
        client.ask("H0EUASP0", "X1", key=key)
        assert [client.answer()["header"]["tr_key"] for _ in range(2)] == ["X1", "X0"]
    with sim_with("answer-order:wait=500ms,every=1") as sim:  # who waits for each gets it late
        client, key = RawWs(sim), approval(sim)
        begin = time.monotonic()
        client.ask("H0EUASP0", "X0", key=key)
        assert client.code() == "OPSP0000" and 0.45 < time.monotonic() - begin < 1.5


# ---- PINGPONG ----

IDLE = ("--at", AT, "--pingpong", "0.5", "--pingpong-timeout", "60")


def test_pingpong_late_and_missing():
    with sim_with("pingpong-late:1s", more=IDLE) as sim:
        client, begin = RawWs(sim), time.monotonic()
        assert "PINGPONG" in client.next(5) and 1.4 < time.monotonic() - begin < 2.5
    with sim_with("pingpong-missing:first=2", more=IDLE) as sim:
        client, begin = RawWs(sim), time.monotonic()
        assert "PINGPONG" in client.next(5) and 1.4 < time.monotonic() - begin < 2.5


def test_ping_close():
    with sim_with("ping-close") as sim:
        client = session(sim)
        client.send(client_text := "{}")
        assert client.code() == "OPSP9998", client_text
        client.socket.sendall(client.frame(10, b"unasked"))
        assert client.frames(0.3), "an unasked PONG is fine by default"
        client.socket.sendall(client.frame(9, b"ping"))
        assert end_of(client) == 1002
    with sim_with("ping-close:0,pong=yes") as sim:
        client = session(sim)
        client.socket.sendall(client.frame(10, b"unasked"))
        assert end_of(client) == "eof"


# ---- how links die ----

def test_silent():
    with sim_with("silent:500ms") as sim:
        key = approval(sim)
        client = session(sim, key)
        time.sleep(0.7)
        while True:  # what was on its way
            try:
                client.next_frame(0.2)
            except (TimeoutError, socket.timeout):
                break
        client.ask("H0EUASP0", "X0", key=key)
        client.socket.sendall(client.frame(9, b"ping") + client.frame(8, b"\x03\xe8"))
        client.socket.settimeout(1.5)
        try:
            assert not client.socket.recv(1), "not even an end"
            raise AssertionError("it ended")
        except (TimeoutError, socket.timeout):
            pass
        assert first_code(sim, key) == "OPSP8996", "the dead link holds the appkey"
        client.close()
        wait_for("the appkey is free", lambda: first_code(sim, key) == "OPSP0000", 3)


def test_half_open():
    with sim_with("half-open:300ms,lasts=1500ms,first=1") as sim:
        key = approval(sim)
        client = session(sim, key)
        time.sleep(0.5)
        assert first_code(sim, key) == "OPSP8996"
        client.socket.setblocking(False)
        sent = 0
        try:  # nothing is read: the buffers fill
            while sent < 64 << 20:
                sent += client.socket.send(b"\x8a\x80\x00\x00\x00\x00" * 4096)
        except BlockingIOError:
            pass
        assert sent < 64 << 20
        client.socket.setblocking(True)
        assert end_of(client, 5) == "rst"
        wait_for("the appkey is free", lambda: first_code(sim, key) == "OPSP0000", 3)


def test_eof_and_rst():
    for fault, how in (("eof:300ms", "eof"), ("rst:300ms", "rst")):
        with sim_with(fault) as sim:
            key = approval(sim)
            for _ in range(2):  # every connection; and the appkey is free at once
                begin, client = time.monotonic(), session(sim, key)
                assert end_of(client) == how and 0.25 < time.monotonic() - begin < 1.5, how
    with sim_with("eof:300ms,chance=0.5", "hold:1s") as sim:
        ends = [end_of(RawWs(sim), 0.5) for _ in range(8)]
        assert {None, "eof"} == set(ends), ends


def bytes_until_the_end(client, timeout=8):
    """All that comes, and how it ends."""
    client.socket.settimeout(timeout)
    got = client.buffer
    while True:
        try:
            more = client.socket.recv(65536)
        except ConnectionResetError:
            return got, "rst"
        if not more:
            return got, "eof"
        got += more


def test_a_cut_inside_a_message():
    for fault, how in (("eof:200ms,inside=yes", "eof"), ("rst:200ms,inside=yes", "rst")):
        with sim_with(fault) as sim:
            key = approval(sim)
            client = session(sim, key)
            got, end = bytes_until_the_end(client)
            at = 0
            while at + 4 <= len(got):  # whole frames, with 126's two bytes of length, then a piece of one
                size = got[at + 1] & 127
                size = 4 + int.from_bytes(got[at + 2:at + 4], "big") if size == 126 else 2 + size
                if at + size > len(got):
                    break
                at += size
            assert end == how, end
            assert 0 < at < len(got), (at, len(got))
            session(sim, key).socket.close()  # the appkey is free


def test_friday_restart():
    with sim_with("friday-restart:2s,after=500ms") as sim:
        key = approval(sim)
        client, idle = session(sim, key), RawWs(sim)
        assert end_of(client) == 1001 and end_of(idle) == 1001
        try:
            RawWs(sim)
            raise AssertionError("it should refuse")
        except ConnectionRefusedError:
            begin = time.monotonic()

        def listens():
            try:
                return session(sim, key)
            except ConnectionRefusedError:
                return None
        assert wait_for("it listens again", listens, 5).frames(0.3)
        assert time.monotonic() - begin > 1


# ---- data ----

def split(text):
    kind, tr_id, count, body = text.split("|", 3)
    return kind, tr_id, int(count), body.split("^")


def truth_rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def collect(*faults, seconds=0.7, more=FAST, least=20):
    """The text messages of a session (bytes), and the rows of the truth for its key."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "truth")
        with sim_with(*faults, more=(*more, "--truth", path)) as sim:
            client, got = session(sim), []
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                opcode, payload = client.next_frame(5)
                if opcode == 1:
                    got.append(payload)
            time.sleep(0.1)
            rows = [row for row in truth_rows(path) if row["tr_key"] == BUSY[1]]
    assert len(got) >= least, len(got)
    return got, rows


def key_of(row):
    """What identifies a record in both: time and totals."""
    return row["hhmmss"], row["total_ask_quantity"], row["total_bid_quantity"], row["total_ask_change"]


def records_of(messages):
    found = []
    for message in messages:
        _, _, count, fields = split(message.decode("latin-1"))
        assert len(fields) % count == 0
        stride = len(fields) // count
        for i in range(0, len(fields), stride):
            record = fields[i:i + stride]
            found.append((int(record[1]), int(record[34]), int(record[35]), int(record[36])))
    return found


def check_against_truth(records, rows):
    """Records are rows of the truth, in its order, without a hole."""
    keys = [key_of(row) for row in rows]
    begin = keys.index(records[0])
    assert keys[begin:begin + len(records)] == records


def test_burst():
    got, rows = collect("burst:20,wait=10s", seconds=1.5, least=4)
    counts = [split(message.decode())[2] for message in got]
    assert max(counts) == 20 and sum(counts) / len(counts) > 15, counts
    check_against_truth(records_of(got), rows)


def test_extra_fields_by_either_name():
    for faults, more, width in ((("extra-fields:3",), FAST, 41), ((), (*FAST, "--extra-fields", "3"), 41)):
        got, rows = collect(*faults, more=more)
        for message in got:
            _, _, count, fields = split(message.decode())
            assert len(fields) == count * width
        check_against_truth(records_of(got), rows)
        assert any(row.get("faults") == ["extra-fields"] for row in rows)
        assert not any("damaged" in row for row in rows)


def test_damage_is_marked_in_the_truth():
    sound, _ = collect()
    for fault, is_broken in (("middle-field:5,every=3", lambda count, fields: len(fields) == count * 39 and fields[5] == "0"),
                             ("blanks:4,every=3", lambda count, fields: fields.count("") == 4 * count),
                             ("truncated:every=3", lambda count, fields: len(fields) < 38 * count)):
        got, rows = collect(fault)
        name = fault.split(":")[0]
        broken = [message for message in got if is_damaged(message, is_broken)]
        assert 0.25 < len(broken) / len(got) < 0.42, (fault, len(broken), len(got))
        marked = [row for row in rows if row.get("damaged")]
        assert marked and all(row["faults"] == [name] for row in marked)
        whole = [message for message in got if message not in broken]
        check_against_truth(records_of(whole), [row for row in rows if not row.get("damaged")])
    assert sound


def is_damaged(message, is_broken):
    parts = message.decode().split("|", 3)
    return len(parts) < 4 or not parts[2].isdigit() or is_broken(int(parts[2]), parts[3].split("^"))


def test_garbage_and_bytes_that_are_not_utf8():
    got, rows = collect("garbage:every=4")
    frames = [message for message in got if re.match(rb"0\|H0MFASP0\|\d{3}\|A01612\^", message)]
    assert 0.15 < 1 - len(frames) / len(got) < 0.25, (len(frames), len(got))
    check_against_truth(records_of(frames), rows)
    got, rows = collect("not-utf8:every=4")
    odd = [message for message in got if b"\xb0\xa1" in message]
    assert 0.2 < len(odd) / len(got) < 0.3
    check_against_truth(records_of(got), rows)  # nothing is lost but by who gives up


def test_a_seed_damages_the_same_frames():
    marks = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "truth")
            more = (*FAST, "--truth", path)
            with sim_with("truncated:every=1,chance=0.2", "blanks:chance=10%,every=2", more=more) as sim:
                client = session(sim)
                rows = wait_for("20 frames with faults", lambda: sent_rows(path, 20), 10)
                client.close()
            marks.append(rows)
    # the first registration may come some frames earlier or later: the draws are the same ones
    assert marks[0] == marks[1]


def sent_rows(path, count):
    """Which of the first frames with a fault have which."""
    rows = [row["faults"] for row in truth_rows(path) if "faults" in row and row["record"] == 0]
    return rows[:count] if len(rows) >= count else None


# ---- bytes ----

def test_fragments():
    with sim_with("fragments:4") as sim:
        client, opcodes = session_raw(sim), []
        while len(opcodes) < 40:
            head, payload = read_ws(client)
            opcodes.append((head & 15, head >> 7))
        begin = opcodes.index((1, 0))
        assert opcodes[begin:begin + 8] == [(1, 0), (0, 0), (0, 0), (0, 1)] * 2, opcodes


def read_ws(client):
    def take(count):
        while len(client.buffer) < count:
            client._more()
        data, client.buffer = client.buffer[:count], client.buffer[count:]
        return data
    client.socket.settimeout(5)
    head, size = take(2)
    if size == 126:
        size = int.from_bytes(take(2), "big")
    return head, take(size)


def session_raw(sim):
    client = RawWs(sim)
    client.send(REQUEST % (approval(sim), "1", *BUSY))
    return client


def test_one_byte():
    with sim_with("one-byte:gap=1ms,first=3") as sim:
        client = session_raw(sim)
        client.buffer, sizes = b"", []
        client.socket.settimeout(5)
        while sum(sizes) < 200:
            sizes.append(len(client.socket.recv(4096)))
        assert sum(sizes) / len(sizes) < 3, sizes
    got, rows = collect("one-byte")
    check_against_truth(records_of(got), rows)


def test_latency():
    with sim_with("latency:300ms,jitter=200ms") as sim:
        client, key = RawWs(sim), approval(sim)
        times = []
        for i in range(4):
            begin = time.monotonic()
            client.ask("H0EUASP0", f"X{i}", key=key)
            assert client.answer()["header"]["tr_key"] == f"X{i}"
            times.append(time.monotonic() - begin)
        assert all(0.29 < t < 0.8 for t in times) and max(times) - min(times) > 0.005, times
    got, rows = collect("latency:100ms,jitter=100ms")
    check_against_truth(records_of(got), rows)  # in their order


# ---- scripts ----

def test_a_script_strikes_at_its_times():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# a night of troubles\r\n"
                       "+1s  eof\r\n"
                       "20:03:00..20:05:00\tbad-approval:echo=no # session time\r\n"
                       "+4s..+5s latency:500ms,jitter:50ms\r\n"
                       "19:00 silent  # lies before the start\r\n")
        with Server("sim", "--at", AT, "--speed", "60", "--rate", "500", "--fault-script", path) as sim:
            begin, key = time.monotonic(), approval(sim)
            assert any("line 5" in line for line in sim.log), sim.log
            client = session(sim, key)
            assert end_of(client) == "eof" and 0.8 < time.monotonic() - begin < 1.6
            assert first_code(sim, key) == "OPSP0000", "an instant is over at once"
            wait_for("20:03", lambda: first_code(sim, key) == "OPSP0011", 4)
            assert time.monotonic() - begin > 2.7
            wait_for("20:05", lambda: first_code(sim, key) == "OPSP0000", 4)
            assert any("fault eof begins, line 2 of the script" in line for line in sim.log), sim.log
            assert any("fault eof strikes 127.0.0.1" in line for line in sim.log), sim.log


def test_without_faults_nothing_strikes():
    got, rows = collect(seconds=0.5)
    check_against_truth(records_of(got), rows)
    assert not any("faults" in row or "damaged" in row for row in rows)


def test_many_faults_at_once_are_survived():
    """All that leaves the link up, on many connections that come and go."""
    faults = ("in-use:0s", "hold:1s,chance=0.1", "full:5,chance=0.5", "bad-approval:chance=0.2", "answer-late:50ms,chance=0.3",
              "answer-missing", "answer-null:chance=0.2", "ping-close:chance=0.5", "silent:1s,jitter=2s,chance=0.2",
              "half-open:1s,lasts=1s,chance=0.2", "rst:500ms,jitter=2s,chance=0.3", "burst:7,chance=0.5",
              "extra-fields:2,chance=0.3", "truncated", "garbage:every=3", "fragments:5,chance=0.5")
    with Server("sim", "--at", AT, "--rate", "3000", "--many-sessions", "--quiet", *(f"--fault={f}" for f in faults)) as sim:
        key = approval(sim)

        def run(stop):
            while time.monotonic() < stop:
                try:
                    client = RawWs(sim)
                    for i in range(6):
                        client.ask(*BUSY if i == 0 else ("H0EUASP0", f"X{i}"), key=key)
                    client.socket.sendall(client.frame(9, b"ping"))
                    client.socket.settimeout(1)
                    for _ in range(200):
                        client.next_frame(1)
                    client.close()
                except (OSError, Closed):
                    pass
        threads = [threading.Thread(target=run, args=(time.monotonic() + 4,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sim.process.poll() is None


if __name__ == "__main__":
    run_tests(globals())
