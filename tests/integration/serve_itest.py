#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nightbook serve` as a process: what it says, its registrations at a feed of 41 slots, and what it refuses."""
import os
import subprocess
import tempfile
import time

from nb import PROGRAM, Server, run_tests, wait_for
from rawws import RawWs


def ask(ws, tr_key, tr_type="1"):
    """KIS's code for one request."""
    ws.ask("H0EUASP0", tr_key, tr_type)
    return ws.code()


def states(server):
    counts = {}
    for row in server.json("/v1/status")["registrations"]:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    return counts


def refused(*args):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KIS_", "XDG_"))}
    done = subprocess.run([PROGRAM, "serve", *args], capture_output=True, text=True, timeout=10, check=False,
                          env=clean | {"HOME": "/nonexistent"})
    return done.returncode, done.stderr


def test_the_first_line_is_the_ready_line_and_names_a_living_code():
    begin = time.monotonic()
    with Server("serve") as server:
        assert time.monotonic() - begin < 2
        first = server.log[0]
        assert first.startswith("SIMULATED listening ws://127.0.0.1:"), first
        code = first.split()[-1]
        wait_for("a book of that code", lambda: server.http("GET", f"/v1/books/H0EUASP0/{code}")[0] == 200)
        wait_for("every code registered", lambda: set(states(server)) == {"confirmed"} and states(server)["confirmed"] > 500)


def test_own_keys_leave_slots_and_yield_to_clients():
    with Server("sim") as sim, Server("serve", "--feed", sim.url, "--linger", "1") as server:
        wait_for("the feed is named", lambda: any(sim.url in line for line in server.log))
        wait_for("36 own keys", lambda: states(server) == {"confirmed": 36})
        ws = RawWs(server)
        for i in range(41):
            assert ask(ws, f"NEW{i:03}") == "OPSP0000", i
        assert ask(ws, "NEW999") == "OPSP0008"  # the 42nd, as at KIS
        wait_for("41 of the client's", lambda: states(server).get("confirmed") == 41)
        slots = server.json("/v1/slots")
        assert slots["totals"]["without_slot"] == 36 and slots["slots_used"] == 41, slots["totals"]
        assert all("no slot" in row["reason"] for row in slots["slots"] if row["feed"] is None), slots
        assert ask(ws, "NEW000", "2") == "OPSP0001"
        ws.close()
        wait_for("own keys are back", lambda: states(server).get("confirmed") == 36, 30)
        assert "nightbook_plan_window_yields_total 36\n" in server.http("GET", "/metrics")[2].decode()


def test_a_window_is_never_on_a_series_that_is_over():
    # Monday's weekly ends on Monday at 15:20: in the night from Monday to Tuesday it trades no more
    for at, is_listed in (("2026-11-20T18:00:00+09:00", True), ("2026-11-23T18:00:00+09:00", False)):
        with Server("sim", "--at", at) as sim, Server("serve", "--feed", sim.url, "--window", "nearest:3") as server:
            wait_for("a window", lambda: states(server).get("confirmed", 0) > 10)
            names = [row["name"] for row in server.json("/v1/slots")["slots"]]
            assert all(name.startswith("위클리M ") == is_listed for name in names), names


def test_a_feed_with_fewer_slots_than_told_still_serves_clients():
    with Server("sim", "--registrations", "10") as sim, Server("serve", "--feed", sim.url) as server:
        wait_for("10 own keys", lambda: states(server).get("confirmed") == 10)
        ws = RawWs(server)
        assert ask(ws, "NEW001") == "OPSP0000"
        wait_for("it is registered", lambda: any(
            row["tr_key"] == "NEW001" and row["state"] == "confirmed"
            for row in server.json("/v1/status")["registrations"]))
        ws.close()


def test_two_servers_share_one_look_alike():
    with Server("sim") as sim, Server("serve", "--feed", sim.url) as one, Server("serve", "--feed", sim.url) as two:
        for server in (one, two):
            wait_for("36 own keys", lambda server=server: states(server).get("confirmed") == 36)


def test_a_server_is_a_feed_for_another():
    with Server("serve") as first, Server("serve", "--feed", first.url) as second:
        code = first.log[0].split()[-1]
        ws = RawWs(second)
        assert ask(ws, code) == "OPSP0000"
        assert ws.frames(2), "frames through two"
        book = second.json(f"/v1/books/H0EUASP0/{code}")
        assert book["banner"] == "SIMULATED" and "far_time" not in str(book), book  # the first one's clock
        wait_for("36 own keys of the first one's master", lambda: states(second).get("confirmed", 0) >= 36)
        assert "at the money" in second.log[0], second.log
        ws.close()


def test_without_a_feed_it_waits_and_says_so():
    with Server("serve", "--feed", "ws://127.0.0.1:1") as server:
        status = server.json("/v1/status")
        assert status["feed"]["is_up"] is False
        assert status["feed"]["reason"], status["feed"]
        assert status["banner"] == "UNVERIFIED"
        assert server.stop() < 1


def test_the_look_alike_within_misbehaves_when_asked():
    with tempfile.NamedTemporaryFile("w", suffix=".faults") as script:
        script.write("+1s silent\n")
        script.flush()
        with Server("serve", "--fault", "eof:500ms,first=1", "--fault-script", script.name, "--watchdog", "2",
                    "--refuse", "*=OPSP8992") as server:
            for words in ("OPSP8992", "without a Close frame", "link is silent"):
                wait_for(words, lambda: any(words in line for line in server.log), 20)


def test_wrong_use_is_told_in_words():
    for args, words in (
            (("--feed", "kis"), "no appkey"),
            (("--feed", "foo"), "sim, kis, ws://"),
            (("--feed", "wss://127.0.0.1:1"), "sim, kis, ws://"),
            (("--feed", "ws://192.0.2.1:21000"), "in clear"),
            (("--feed", "ws://127.0.0.1:1", "--speed", "3"), "look-alike's"),
            (("--feed", "ws://127.0.0.1:31000"), "--listen 127.0.0.1:31001"),  # its own default place
            (("--keys", "50", "--slots", "41"), "more than the 41 slots"),
            (("--listen", "0.0.0.0:0"), "client key"),
            (("--at", "12:00"), "no night session"),
            (("--holidays", "/dev/null/x"), "/dev/null/x"),
            (("--rate", "nan"), "--rate"),
            (("--fault", "eofs"), "did you mean eof"),
            (("--fault-script", "/dev/null/x"), "/dev/null/x"),
            (("--refuse", "*=OPSP0007", "--refuse", "*=OPSP0009"), "already"),
            (("--feed", "ws://127.0.0.1:1", "--fault", "eof"), "look-alike's"),
            (("extra",), "extra")):
        code, text = refused(*args)
        assert code == (78 if "kis" in args else 64) and words in text, (args, code, text)


def test_client_key_files_must_be_private():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys")
        with open(path, "w", encoding="ascii") as file:
            file.write("# mine\nfirst-client-key\nsecond-client-key\n")
        os.chmod(path, 0o644)
        code, text = refused("--client-key-file", path)
        assert code == 64 and "chmod 600" in text, text
        os.chmod(path, 0o600)
        with Server("serve", "--client-key-file", path) as server:
            assert "first-client-key" not in "".join(server.log)
            wait_for("it serves", lambda: server.http("GET", "/healthz")[0] == 200)


def test_a_port_in_use_is_told_with_a_way_out():
    with Server("serve") as server:
        code, text = refused("--listen", f"127.0.0.1:{server.port}")
        assert code == 71 and f"127.0.0.1:{server.port}" in text and "--listen" in text, text


run_tests(globals())
