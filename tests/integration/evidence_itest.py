#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a night shows and what a user is told of it: evidence and `nightbook report`, `nightbook slots`, a lost feed, the log."""
import glob
import http.server
import json
import os
import re
import subprocess
import threading
import time

from live import HTS_ID, SECRET, Home, Relay, live_server
from nb import PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs, Refused

APPKEY = f"PSevidence{os.getpid():026d}"  # its lock is the machine's: tests at the same time need their own
KEYS = ((APPKEY, SECRET),)
FIELD = re.compile(r'([a-z]+)=("(?:[^"\\]|\\.)*"|\S+)')


def nightbook(home, *args):
    """(exit code, stdout, stderr)"""
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20, check=False,
                          env=home.environment(), cwd=home.path)
    return done.returncode, done.stdout, done.stderr


def is_up(server):
    return all(row["is_up"] for row in server.json("/v1/status")["feeds"])


def event_lines(server):
    """The log's events; every line must be one, but for those said to people when it is ready."""
    events = []
    for line in server.log:
        if not line.startswith("time="):
            assert not events or line.startswith(("  ", "SIMULATED", "LIVE", "UNVERIFIED")), line
            continue
        fields = FIELD.findall(line)
        assert " ".join(f"{key}={value}" for key, value in fields) == line.rstrip("\n"), line
        assert [key for key, _ in fields][:4] == ["time", "level", "room", "msg"], line
        assert len({key for key, _ in fields}) == len(fields), line
        events.append({key: value.strip('"') for key, value in fields})
    return events


def test_a_night_is_reported():
    with Home() as home, Server("sim", "--rate", "400") as sim:
        home.live(f"{sim.host}:{sim.port}", keys=KEYS)
        with live_server(home) as server:
            wait_for("some frames", lambda: server.json("/v1/status")["counters"]["feed"]["feed_frames_total"] > 300, 30)
            seen = server.json("/v1/evidence")
            assert seen["banner"] == "SIMULATED" and seen["nightbook_evidence"] == 1, seen
            tr = next(row for row in seen["trs"] if row["tr_id"] == "H0EUASP0")
            assert [width for width, _ in tr["widths"]] == [tr["documented_fields"]], tr["widths"]
            assert seen["snapshot"]["confirmed"] > 10, seen["snapshot"]
            assert {row["msg_cd"]: row["rt_cd"] for row in seen["codes"]} == {"OPSP0000": "0"}, seen["codes"]
            assert seen["approvals"]["given"] == 1 and seen["in_use"] is None, seen
        code, words, error = nightbook(home, "report")
        assert code == 0 and not error, (code, error)
        assert "This was not KIS" in words and "H0EUASP0  38 fields" in words, words
        assert "OPSP0000  rt_cd 0" in words and "not seen" in words, words
        code, text, _ = nightbook(home, "report", "--json")
        kept = json.loads(text)
        assert code == 0 and kept["trade_date"] == seen["trade_date"], text[:200]
        assert kept["trs"][0]["frames"] >= seen["trs"][0]["frames"]
        assert nightbook(home, "report", kept["trade_date"])[0] == 0
        assert nightbook(home, "report", "2031-01-02")[0] == 64
        with live_server(home) as server:  # again in the same night: both parts stay
            wait_for("its own frames", lambda: server.json("/v1/evidence")["trs"], 20)
        parts = glob.glob(os.path.join(home.path, ".local/state/nightbook/evidence-*.json"))
        code, words, _ = nightbook(home, "report")
        assert code == 0 and len(parts) == 2 and "part 2 of 2" in words, (parts, words[:300])


def test_slots_are_a_table():
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}", "pin: [B01612A45]\nwindow: [nearest:8]\n", KEYS)
        with live_server(home) as server:
            wait_for("a plan", lambda: len(server.json("/v1/slots")["slots"]) > 20, 20)
            ws = RawWs(server)
            ws.ask("H0EUASP0", "B0161ZZZZ")
            assert ws.code() == "OPSP0000"
            code, table, error = nightbook(home, "slots", f"http://{server.host}:{server.port}")
            assert code == 0 and not error, (code, error)
            lines = table.splitlines()
            assert lines[0].split() == ["TR", "KEY", "NAME", "STATE", "APPKEY", "KIS", "SAID", "WHY"], lines[0]
            assert re.match(r"H0EUASP0 +B01612A45 .* key0 .*pinned", lines[1]), lines[1]
            assert any("B0161ZZZZ" in line and "asked for by clients" in line for line in lines), table
            assert re.match(r"SIMULATED  \d+ of 41 slots are taken", next(l for l in lines if "slots are taken" in l))
            # what is wide on a terminal is counted so: each APPKEY stands below its title
            columns = {len(line[:line.index(" key0 ")]) + sum("\uac00" <= c <= "\ud7a3" for c in line[:line.index(" key0 ")])
                       for line in lines if " key0 " in line}
            assert columns == {lines[0].index(" APPKEY")}, (columns, table)
            assert json.loads(nightbook(home, "slots", server.url, "--json")[1])["slots_max"] == 41
            ws.close()
        code, _, error = nightbook(home, "slots", f"http://{server.host}:{server.port}")
        assert code == 76 and "refused" in error.lower(), (code, error)


class Hostile(http.server.BaseHTTPRequestHandler):
    """A server that says what it likes."""
    words = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u0085위클리"

    def do_GET(self):
        # \x1b can only come escaped in JSON; DEL and U+009B come as they are
        row = {name: self.words for name in ("tr_id", "tr_key", "name", "state", "feed", "msg_cd", "msg1", "reason")}
        body = json.dumps({"banner": self.words, "slots": [row | {"near": [self.words] * 3}, 7, [], {}],
                           "windows": [{"forward": 1e308, "source": self.words}, 3], "totals": {"left_out": 2 ** 62}},
                          ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_hostile_server_does_not_reach_the_terminal():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Home() as home:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            for more in ((), ("--json",)):
                code, out, error = nightbook(home, "slots", url, *more)
                assert code == 0 and not error, (code, error)
                assert "위클리" in out, out
                assert not [c for c in out if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0], ascii(out)
            assert json.loads(out)["banner"] == Hostile.words
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, "slots", url], stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=20, check=False, env=home.environment())
            assert done.returncode == 71 and "stdout" in done.stderr, done
    finally:
        server.shutdown()
        server.server_close()


def test_a_lost_feed_ends_clients_and_comes_back():
    with Home() as home, Server("sim") as sim:
        relay = Relay(sim)
        home.live(relay.address, "on_loss: close:1\n", KEYS)
        with live_server(home) as server:
            wait_for("the link is up", lambda: is_up(server))
            ws = RawWs(server, path="/+marks")
            relay.is_refusing = True
            relay.cut()
            began = time.monotonic()
            reason = ""
            try:
                while True:
                    ws.next(10)
            except Closed as closed:
                reason = str(closed)
            assert "1012" in reason and 0.8 < time.monotonic() - began < 5, reason
            try:
                RawWs(server)
                raise AssertionError("a client got in")
            except Refused as refused:
                assert "503" in str(refused), refused
            status = server.json("/v1/status")
            assert status["feed"]["is_lost"] and status["feed"]["state"] == "lost", status["feed"]
            assert status["counters"]["gateway"]["gateway_loss_closed_total"] == 1
            assert server.http("GET", "/healthz")[0] == 503
            relay.is_refusing = False
            wait_for("it is back", lambda: not server.json("/v1/status")["feed"]["is_lost"], 40)
            RawWs(server).close()
            events = event_lines(server)
            assert any("lost" in e["msg"] or "down for" in e["msg"] for e in events if e["level"] == "warning"), events
        relay.close()


def test_no_word_of_kis_forges_a_line_and_no_secret_shows():
    """KIS's words reach log, status and report: here they hold line ends, quotes and the secrets themselves."""
    hostile = f"\\\" level=error room=forged msg=\\\"\\n\\u001b[2J {APPKEY} {SECRET} {HTS_ID} end"
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}", keys=KEYS)
        with live_server(home, "--log", "json") as server:
            wait_for("the link is up", lambda: is_up(server))
            events = [json.loads(line) for line in server.log if line.startswith("{")]
            assert events and all({"time", "level", "room", "msg"} <= set(event) for event in events), server.log
        path = os.path.join(home.path, "evidence.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"nightbook_evidence":1,"codes":[{"msg_cd":"X","rt_cd":"1","count":1,"msg1":"%s"}]}' % hostile)
        code, words, _ = nightbook(home, "report", path)
        assert code == 0 and "\x1b" not in words and "\nforged" not in words, words
        code, _, error = nightbook(home, "report", __file__)
        assert code == 65 and "NB_E_JSON" in error, (code, error)


run_tests(globals())
