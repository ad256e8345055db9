#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nightbook serve --feed kis` as a user has it: against a look-alike whose address stands in nightbook's own file."""
import json
import os
import signal
import subprocess
import time

from live import APPKEY, HTS_ID, SECRET, Home, Relay, TlsFront, live_server
from nb import PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs, Refused


def serve_once(home, *args, within=10):
    """Run a `serve` that is expected to end by itself: (exit code, stderr)."""
    done = subprocess.run([PROGRAM, "serve", "--listen", "127.0.0.1:0", *args], capture_output=True, text=True,
                          timeout=within, check=False, env=home.environment(), cwd=home.path)
    return done.returncode, done.stderr


def feed(server, index=0):
    return server.json("/v1/status")["feeds"][index]


def is_up(server):
    return all(row["is_up"] for row in server.json("/v1/status")["feeds"])


def confirmed(server):
    return sum(row["state"] == "confirmed" for row in server.json("/v1/slots")["slots"])


def no_secret_in(text, where):
    for secret in (APPKEY, SECRET, SECRET[:20], HTS_ID):
        assert secret not in text, f"{where} holds a secret"


def test_live_from_the_users_own_file():
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}")
        with live_server(home) as server:
            wait_for("the link is up", lambda: is_up(server))
            # what answers is a look-alike, and every place says so
            assert server.json("/v1/status")["banner"] == "SIMULATED"
            # the default plan: the front night future and strikes around the money, five slots left for clients
            wait_for("the default plan", lambda: 30 <= confirmed(server) <= 36, 30)
            rows = server.json("/v1/slots")["slots"]
            assert sum(row["tr_id"] == "H0MFASP0" for row in rows) == 1
            code = next(row["tr_key"] for row in rows if row["tr_id"] == "H0EUASP0")
            ws = RawWs(server)
            ws.ask("H0EUASP0", code)
            assert ws.code() == "OPSP0000"
            assert ws.frames(10)
            ws.close()


def test_fifty_restarts_in_a_minute_stay_within_the_connect_budget():
    with Home() as home, Server("sim") as sim:
        relay = Relay(sim)
        home.live(relay.address)
        begin = time.monotonic()
        restarts = 0
        while restarts < 50 and time.monotonic() - begin < 50:
            process = subprocess.Popen([PROGRAM, "serve", "--listen", "127.0.0.1:0"], env=home.environment(),
                                       cwd=home.path, stderr=subprocess.DEVNULL)
            time.sleep(0.5 if not os.environ.get("NB_SANITIZE") else 0.7)
            process.send_signal(signal.SIGKILL if restarts % 2 else signal.SIGTERM)
            process.wait(5)
            restarts += 1
        assert restarts >= 40, restarts
        assert 1 <= relay.count("approval") <= 4 and relay.count("link") <= 4, \
            (relay.count("approval"), relay.count("link"))
        with live_server(home) as server:  # the breaker tells, and waits
            row = feed(server)
            assert not row["is_up"] and row["budget_used"] == 4, row
            assert "budget" in row["reason"] and "next try" in row["reason"], row
            assert 'nightbook_session_breaker_open{feed="key0"} 1' in server.http("GET", "/metrics")[2].decode()
        assert relay.count("link") <= 4
        relay.close()


def test_a_second_process_is_told_who_holds_the_appkey():
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}")
        with live_server(home) as server:
            code, words = serve_once(home)
            assert code == 75, (code, words)
            assert str(server.process.pid) in words and "nightbook" in words, words
            no_secret_in(words, "the refusal")
        with live_server(home):  # it is free again
            pass


def test_clients_are_closed_when_the_feed_is_lost():
    with Home() as home, Server("sim") as sim:
        relay = Relay(sim)
        home.live(relay.address)
        with live_server(home, "--on-loss", "close:1") as server:
            wait_for("the link is up", lambda: is_up(server))
            ws = RawWs(server)
            ws.ask("H0EUASP0", "B01612A45")
            assert ws.code() == "OPSP0000"
            relay.is_refusing = True
            relay.cut()
            begin = time.monotonic()
            try:
                while True:
                    ws.next(10)
            except Closed as closed:
                assert closed.code == 1012, closed
                assert 0.8 < time.monotonic() - begin < 5
            try:
                RawWs(server)
                raise AssertionError("a client was let in although the feed is lost")
            except Refused as refused:
                assert refused.status == 503 and b"feed" in refused.body, refused.body
            assert server.http("GET", "/v1/status")[0] == 200
            relay.is_refusing = False
            wait_for("the link is back", lambda: is_up(server), 40)
            RawWs(server).close()
        relay.close()


def test_clients_are_kept_when_asked():
    with Home() as home, Server("sim") as sim:
        relay = Relay(sim)
        home.live(relay.address, "on_loss: keep\n")
        with live_server(home) as server:
            wait_for("the link is up", lambda: is_up(server))
            ws = RawWs(server, "/+marks")
            ws.ask("H0EUASP0", "B01612A45")
            assert ws.code() == "OPSP0000"
            relay.cut()
            ws.mark("NB_GAP_BEGIN", 5)
            wait_for("the link is back", lambda: is_up(server), 30)
            ws.ask("H0EUASP0", "B01612A47")
            assert ws.code() == "OPSP0000"
            ws.close()
        relay.close()


def test_it_never_connects_to_itself():
    with Home() as home:
        home.live("127.0.0.1:21999")
        code, words = serve_once(home, "--listen", "127.0.0.1:21999")
        assert code in (64, 78) and "own listener" in words, (code, words)


def test_a_hosts_file_redirect_of_kis_is_seen():
    """ops_address stands for what the hosts file says here; KIS's own name never leads to this machine."""
    with Home() as home, Server("sim") as sim:
        home.write(f"feed: kis\nprod: http://{sim.host}:{sim.port}\nops_address: {sim.host}:{sim.port}\nhours: always\n"
                   f"app_key: {APPKEY}\napp_secret: {SECRET}\n")
        with live_server(home) as server:
            wait_for("it is refused in words", lambda: "redirected here" in feed(server)["reason"])
            assert not feed(server)["is_up"]


def test_broken_configurations_never_fall_back():
    with Home() as home:
        for text, word in (("feed: kis\n", "app_key"), ("feed: kiss\n", "feed"), ("feed: kis\nfeed: sim\n", "feed"),
                           ("feed: kis\napp_key: [1]\n", "app_key"), ("feed: kis\n\thours: night\n", "config.yaml:2")):
            home.write(text)
            code, words = serve_once(home)
            assert code == 78 and word in words and "config.yaml" in words, (text, code, words)
            assert "SIMULATED" not in words
        home.live("127.0.0.1:9", "")
        os.chmod(home.config, 0o644)
        code, words = serve_once(home)
        assert code == 78 and f"chmod 600 '{home.config}'" in words, (code, words)
        no_secret_in(words, "the refusal")


def test_two_appkeys_are_eighty_two_slots():
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}", "reserve: 5\npin: [H0EUASP0:B01612A45]\n",
                  keys=((APPKEY, SECRET), (APPKEY[::-1], SECRET)))
        with live_server(home) as server:
            wait_for("both links are up", lambda: is_up(server) and len(server.json("/v1/status")["feeds"]) == 2)
            ws = RawWs(server)
            codes = []
            for i in range(82):
                ws.ask("H0EUASP0", f"NEW{i:05}")
                codes.append(ws.code())
            assert codes == ["OPSP0000"] * 81 + ["OPSP0008"], codes[78:]  # one slot is the pinned key's
            rows = server.json("/v1/slots")["slots"]
            held = [row for row in rows if row["state"] in ("confirmed", "pending") and row["feed"]]
            assert all(sum(row["feed"] == name for row in held) <= 41 for name in ("key0", "key1"))
            assert any(row["tr_key"] == "B01612A45" and row["feed"] for row in rows)
            ws.close()


def test_the_approval_key_comes_over_tls_with_the_users_own_authority():
    with Home() as home, Server("sim") as sim:
        tls = TlsFront(home, sim)
        prod = tls.url
        home.live(f"{sim.host}:{sim.port}")
        with live_server(home, "--prod", prod) as server:  # an authority that this machine does not know
            wait_for("the certificate is refused", lambda: "certificate" in feed(server)["reason"])
            assert sim.process.poll() is None and not feed(server)["is_up"]
        with Home() as second:
            second.live(f"{sim.host}:{sim.port}")
            with live_server(second, "--prod", prod, "--ca-file", tls.ca_file) as server:
                wait_for("the link is up", lambda: is_up(server))
        tls.close()


def test_secrets_reach_no_log_file_screen_or_core():
    """The approval key comes back in KIS's own words (OPSP0011), iv and key with each success."""
    with Home() as home, Server("sim", "--fault", "bad-approval") as sim:
        approvals = []

        relay = Relay(sim)
        home.live(relay.address, f"notify: cat >> {home.path}/notified\npin: [H0EUASP0:B01612A45]\n")
        outputs = []
        server = live_server(home)
        try:
            wait_for("KIS refuses the key", lambda: "OPSP0011" in feed(server)["reason"], 20)
            for path in ("/", "/v1/status", "/v1/slots", "/v1/books", "/metrics", "/v1/evidence", "/healthz"):
                outputs.append(server.http("GET", path)[2].decode())
            server.process.send_signal(signal.SIGABRT)
            server.process.wait(10)
        finally:
            server.process.kill()
        outputs += ["".join(server.log)]
        shown = subprocess.run([PROGRAM, "config"], capture_output=True, text=True, check=False, env=home.environment(),
                               cwd=home.path)
        outputs += [shown.stdout, shown.stderr]
        for row in relay.connections:
            if row["kind"] == "approval":
                approvals.append(json.loads(bytes(row["bytes"]).split(b"\r\n\r\n", 1)[1])["approval_key"])
        assert approvals, "the approval was seen"
        for path in home.files():
            if path == home.config:
                continue
            with open(path, "rb") as file:
                outputs.append(file.read().decode("latin-1"))
        for text in outputs:
            no_secret_in(text, text[:80])
            for key in approvals:
                assert key not in text, text[:200]
        relay.close()


def test_notify_runs_the_users_program():
    with Home() as home, Server("sim", "--fault", "in-use:3600") as sim:
        home.live(f"{sim.host}:{sim.port}", f"notify: cat >> {home.path}/notified\npin: [H0EUASP0:B01612A45]\n")
        with live_server(home) as server:
            path = f"{home.path}/notified"
            wait_for("it was run", lambda: os.path.exists(path) and os.path.getsize(path) > 0, 20)
            with open(path, encoding="utf-8") as file:
                notice = json.loads(file.readline())
            assert notice["event"] == "in_use" and "OPSP8996" in notice["detail"], notice
            assert server.process.poll() is None


if __name__ == "__main__":
    run_tests(globals())
