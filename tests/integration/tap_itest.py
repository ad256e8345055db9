#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nightbook tap: against a server of this script's own, which sends chosen frames, and against `nightbook sim`."""
import base64
import hashlib
import json
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import nb

FRAME = ("0|H0EUASP0|001|301V06362^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0"
         "^1^3^12^0^0^9^21^16^0^0^0^0^16^46^5^0")
RECORD = FRAME.split("|", 3)[3]
TWO = f"0|H0EUASP0|002|{RECORD}^{RECORD.replace('301V06362', '201V06362')}"
WIDE = f"0|H0EUASP0|001|{RECORD}^7^8"
UNKNOWN = "0|H0EUANC0|001|B01612745^190159^2.98^0.01^2^0.3^1^5"
SECRET = "1|H0EUCNI0|001|c2VjcmV0"
BAD = FRAME.replace("2.98", "2,98")
CUT = "0|H0EUASP0|001|301V06362^190159"
JUNK = "0|H0EUASP0|0x1|"


class FakeKis:
    """Accepts WebSockets; answers each request by `answer(tr_id, tr_key)`, a list of messages (None: close at once)."""

    def __init__(self, answer):
        self.answer, self.requests = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in [self.listener, *self.connections]:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += stream.readline()
            if head.startswith(b"POST"):
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                connection.close()
                return
            key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)[1]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            while True:
                opcode, payload = self._read(stream)
                if opcode == 8:
                    connection.sendall(b"\x88\x00")
                    connection.close()
                    return
                if opcode == 1:
                    asked = json.loads(payload)["body"]["input"]
                    self.requests.append((asked["tr_id"], asked["tr_key"]))
                    for message in self.answer(asked["tr_id"], asked["tr_key"]):
                        if message is None:
                            connection.shutdown(socket.SHUT_RDWR)
                            return
                        self._send(connection, message)
        except (OSError, struct.error, IndexError):
            pass

    @staticmethod
    def _read(stream):
        first, second = stream.read(2)
        size = second & 127
        if size == 126:
            size, = struct.unpack("!H", stream.read(2))
        mask = stream.read(4)
        return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(stream.read(size)))

    @staticmethod
    def _send(connection, text):
        payload = text.encode("utf-8", "surrogateescape")
        size = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack("!H", len(payload))
        connection.sendall(b"\x81" + size + payload)


def success(tr_id, tr_key):
    return json.dumps({"header": {"tr_id": tr_id, "tr_key": tr_key, "encrypt": "N"},
                       "body": {"rt_cd": "0", "msg_cd": "OPSP0000", "msg1": "SUBSCRIBE SUCCESS",
                                "output": {"iv": "0123456789abcdef", "key": "k" * 32}}})


def refusal(tr_id, tr_key, rt_cd, msg_cd, msg1):
    nameless = rt_cd == "9"
    return json.dumps({"header": {"tr_id": "(null)" if nameless else tr_id, "tr_key": "" if nameless else tr_key,
                                  "encrypt": "N"},
                       "body": {"rt_cd": rt_cd, "msg_cd": msg_cd, "msg1": msg1}})


def sends(*frames):
    return FakeKis(lambda tr_id, tr_key: [success(tr_id, tr_key), *frames])


def tap(*args, **options):
    return subprocess.run([nb.PROGRAM, "tap", *args], capture_output=True, text=True, timeout=30, check=False,
                          **options)


def decode(text):
    return subprocess.run([nb.PROGRAM, "decode"], input=text, capture_output=True, text=True, timeout=30,
                          check=False).stdout


def without_receive_time(lines):
    return re.sub(r'"recv_ns":\d+', '"recv_ns":0', lines)


def test_json_is_what_decode_prints():
    with sends(FRAME, TWO, WIDE, UNKNOWN, SECRET) as server:
        printed = tap(server.url, "--codes", "301V06362", "--count", "6")
        raw = tap(server.url, "--codes", "301V06362", "--count", "5", "--raw", "--time")
    assert (printed.returncode, raw.returncode) == (0, 0), (printed, raw)
    assert len(printed.stdout.splitlines()) == 6
    assert without_receive_time(printed.stdout) == without_receive_time(decode(raw.stdout))
    first = json.loads(printed.stdout.splitlines()[0])
    assert first["optn_askp1"] == 2.98 and first["tr_key"] == "301V06362"
    assert abs(first["recv_ns"] - time.time_ns()) < 60e9


def test_raw_is_the_frame_exactly():
    odd = "0|H0EUASP0|001|B0\udcff^ ^\t^"  # bytes that are not UTF-8 and fields that do not decode
    with sends(FRAME, odd, WIDE) as server:
        out = subprocess.run([nb.PROGRAM, "tap", server.url, "--codes", "A", "--raw", "--count", "3"],
                             capture_output=True, timeout=30, check=True).stdout
    assert out == "".join(f + "\n" for f in (FRAME, odd, WIDE)).encode("utf-8", "surrogateescape")


def test_csv_has_a_header_for_each_tr():
    with sends(FRAME, TWO, UNKNOWN) as server:
        lines = tap(server.url, "--codes", "A", "--csv", "--count", "4").stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["tr_id", "H0EUASP0", "H0EUASP0", "H0EUASP0", "tr_id",
                                                      "H0EUANC0"]
    assert all(line.count(",") == lines[0].count(",") for line in lines[:4])


def test_count_ends_within_a_frame():
    with sends(TWO, TWO) as server:
        done = tap(server.url, "--codes", "A", "--count", "3")
    assert done.returncode == 0
    assert [json.loads(line)["tr_key"] for line in done.stdout.splitlines()] == ["301V06362", "201V06362",
                                                                                "301V06362"]


def test_what_does_not_decode_is_named_and_the_rest_printed():
    with sends(BAD, JUNK, CUT, "hello", FRAME) as server:
        done = tap(server.url, "--codes", "A", "--count", "1")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    for words in ("optn_askp1", "NB_E_FIELD", "NB_E_FRAME", "NB_E_WIDTH", "hello"):
        assert words in done.stderr, (words, done.stderr)
    offset = int(re.search(r"byte (\d+): .*optn_askp1", done.stderr)[1])
    assert BAD[offset] == ",", done.stderr


def test_a_server_cannot_drive_the_terminal():
    clear = "\x1b[2J\x07"
    refused = refusal("H0EUASP0", "A", "1", "OPSP0008", "no " + clear)
    with FakeKis(lambda tr_id, tr_key: [refused, "words " + clear, "0|H0EUASP0|001|" + clear + "^x"]
                 if tr_key == "A" else [success(tr_id, tr_key), FRAME]) as server:
        done = tap(server.url, "--codes", "A,B", "--count", "1")
    assert done.returncode == 0 and "words ?[2J?" in done.stderr and "no ?[2J?" in done.stderr, done.stderr
    assert "\x1b" not in done.stderr and "\x07" not in done.stderr


def test_each_tr_with_each_code():
    with sends() as server:
        process = subprocess.Popen([nb.PROGRAM, "tap", server.url, "--tr", "H0EUASP0, H0MFASP0", "--codes", "A,*"],
                                   stderr=subprocess.DEVNULL)
        nb.wait_for("four requests", lambda: len(server.requests) == 4)
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert server.requests == [("H0EUASP0", "A"), ("H0EUASP0", "*"), ("H0MFASP0", "A"), ("H0MFASP0", "*")]


def test_refusals_in_kis_words():
    answers = {"FULL": ("1", "OPSP0008", "MAX SUBSCRIBE OVER"), "BAD": ("9", "OPSP8993", "JSON PARSING ERROR : x"),
               "TWICE": ("1", "OPSP0002", "ALREADY IN SUBSCRIBE")}
    with FakeKis(lambda tr, key: [refusal(tr, key, *answers[key]) if key in answers else success(tr, key)]
                 + ([FRAME] if key == "LAST" else [])) as server:
        some = tap(server.url, "--codes", "FULL,BAD,TWICE,LAST", "--count", "1")
        everything = tap(server.url, "--codes", "FULL,BAD")
    assert some.returncode == 0
    assert "H0EUASP0 FULL: MAX SUBSCRIBE OVER [OPSP0008]" in some.stderr
    assert "H0EUASP0 BAD: JSON PARSING ERROR : x [OPSP8993]" in some.stderr
    assert "ALREADY" not in some.stderr
    assert everything.returncode == 76 and "every registration was refused" in everything.stderr


def test_link_lost():
    with sends(FRAME, None) as server:
        done = tap(server.url, "--codes", "A")
    assert done.returncode == 76
    assert len(done.stdout.splitlines()) == 1
    assert "NB_E_CLOSED" in done.stderr and server.url[5:] in done.stderr


def test_a_reader_that_has_enough():
    with FakeKis(lambda tr, key: [success(tr, key)] + [FRAME] * 3000) as server:
        process = subprocess.Popen([nb.PROGRAM, "tap", server.url, "--codes", "A"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr.read() == f"nightbook: tap: {server.url} UNVERIFIED\n"
        process.stderr.close()


def test_lines_come_at_once_and_sigint_ends_quietly():
    with sends(FRAME) as server:
        process = subprocess.Popen([nb.PROGRAM, "tap", server.url, "--codes", "A"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        assert json.loads(process.stdout.readline())["tr_key"] == "301V06362"  # though nothing follows it
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130 and out == "" and len(err.splitlines()) == 1, (process.returncode, err)
    assert time.monotonic() - begin < 2


def test_sigint_while_the_reader_is_slow():
    with FakeKis(lambda tr, key: [success(tr, key)] + [FRAME] * 3000) as server:
        process = subprocess.Popen([nb.PROGRAM, "tap", server.url, "--codes", "A"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        time.sleep(1)  # the pipe is full, and tap waits in write()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        process.stdout.close()


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    done = tap(f"ws://127.0.0.1:{port}", "--codes", "A")
    assert done.returncode == 76
    assert f"nothing listens at ws://127.0.0.1:{port}" in done.stderr
    assert "nightbook serve" in done.stderr and "nightbook sim" in done.stderr


def test_wrong_usage():
    for args, words in ([("--codes", "A", "ws://ops.koreainvestment.com:21000"), "nightbook serve"],
                        [("--codes", "A", "ws://127.0.0.1:1/+key=SECRET-KEY/x", "--count", "0"), "--count"],
                        [(), "--codes is missing"], [("--codes", ""), "name nothing"],
                        [("--codes", "1234567890123"), "1-12"], [("--codes", "A,,B"), "1-12"],
                        [("--codes", "A", "--json", "--raw"), "exclude"],
                        [("--codes", "A", "--time"), "--raw"], [("--codes", "A", "http://127.0.0.1:1"), "ws://"],
                        [("--codes", "A", "wss://127.0.0.1:1"), "TLS"]):
        done = tap(*args)
        assert done.returncode == 64 and words in done.stderr, (args, done)
        assert done.stdout == ""


def test_a_client_key_is_not_shown():
    with sends(FRAME) as server:
        done = tap(server.url + "/+key=VERYSECRET/x", "--codes", "A", "--count", "1")
    assert done.returncode == 0 and "VERYSECRET" not in done.stderr
    done = tap("ws://127.0.0.1:1/+key=VERYSECRET/x", "--codes", "A", "--count", "1")
    assert done.returncode == 76 and "VERYSECRET" not in done.stderr
    done = tap("http://127.0.0.1:1/+key=VERYSECRET/x", "--codes", "A", "--count", "1")
    assert done.returncode == 64 and "VERYSECRET" not in done.stderr


def test_the_servers_clock_dates_the_records():
    with nb.Server("sim", "--at", "2025-12-30T23:59:50+09:00", "--rate", "2000", "--keys", "5", "--quiet") as sim:
        code = re.search(r"at the money: H0EUASP0 (\S+)", "".join(sim.log))[1]
        done = tap(sim.url, "--codes", code, "--count", "200")
        raw = tap(sim.url, "--codes", code, "--count", "50", "--raw", "--time")
    assert done.returncode == 0 and "SIMULATED" in done.stderr
    for line in done.stdout.splitlines():
        record = json.loads(line)
        assert record["trade_date"] == "2026-01-02" and record["flags"] == [], record
        assert abs(record["recv_ns"] - time.time_ns()) < 120e9
    assert set(json.loads(line)["trade_date"] for line in decode(raw.stdout).splitlines()) == {"2026-01-02"}


def test_several_taps_on_one_look_alike():
    with nb.Server("sim", "--at", "20:00", "--rate", "500", "--keys", "5", "--quiet") as sim:
        code = re.search(r"at the money: H0EUASP0 (\S+)", "".join(sim.log))[1]
        taps = [subprocess.Popen([nb.PROGRAM, "tap", sim.url, "--codes", code, "--count", "5"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
        for process in taps:
            out, err = process.communicate(timeout=30)
            assert process.returncode == 0 and len(out.splitlines()) == 5, err


if __name__ == "__main__":
    nb.run_tests(globals())
