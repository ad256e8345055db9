# SPDX-License-Identifier: Apache-2.0
"""`nightbook sim` as a process: what it says, when it ends, and that a seed is a market wherever it runs."""
import json
import os
import re
import subprocess
import tempfile
import time

from nb import LONG, PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs

AT = "2026-11-20T20:00:00+09:00"


def approval(server, appkey="APPKEY"):
    body = json.dumps({"grant_type": "client_credentials", "appkey": appkey, "secretkey": "SECRET"})
    status, _, answer = server.http("POST", "/oauth2/Approval", body)
    assert status == 200, (status, answer)
    return json.loads(answer)["approval_key"]


def test_it_says_what_it_is_before_it_is_ready():
    with Server("sim", "--seed", "42", "--at", AT) as sim:
        ready = [i for i, line in enumerate(sim.log) if line.startswith("listening ws://127.0.0.1:")]
        assert ready, sim.log
        said = "".join(sim.log[:ready[0]])
        assert "SIMULATED" in said and "seed 42" in said, said
        code = re.search(r"H0EUASP0 ([A-Z0-9]{8,9})", said)[1]
        _, _, master = sim.http("GET", "/common/master/fo_eurex_code.mst")
        row = next(line for line in master.splitlines() if line[1:10].strip() == code.encode())
        assert row[62:63] in b"123" and len(row) == 121


def test_it_ends_within_a_second_with_clients_on_it():
    sim = Server("sim", "--rate", "20000", "--many-sessions", "--quiet")
    key = approval(sim)
    clients = [RawWs(sim) for _ in range(50)]
    for client in clients:
        client.ask("H0MFASP0", "A01612", key=key)
    time.sleep(0.3)
    assert sim.stop(within=3.0) < 1.0


def first_lines(path, count):
    def whole():
        with open(path, encoding="utf-8") as file:
            lines = [line for _, line in zip(range(count), file)]
        return lines if len(lines) == count and lines[-1].endswith("\n") else None
    return wait_for(f"{count} records", whole)


def test_a_seed_is_a_market():
    with tempfile.TemporaryDirectory() as folder:
        truths = []
        for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
            path = os.path.join(folder, name)
            with Server("sim", "--seed", seed, "--at", AT, "--rate", "5000", "--truth", path):
                truths.append(first_lines(path, 3000))
        assert truths[0] == truths[1]
        assert truths[0] != truths[2]
        assert json.loads(truths[0][0])["frame"] == 1


def test_wrong_arguments_are_told():
    for arguments, word in ((["--at", "12:00"], "no night session"), (["--at", "noon"], "no time"),
                            (["--speed", "0"], "speed"), (["--truth", "/nonexistent/x"], "/nonexistent/x")):
        done = subprocess.run([PROGRAM, "sim", "--listen", "127.0.0.1:0", *arguments], capture_output=True, text=True,
                              timeout=10, check=False)
        assert done.returncode in (64, 71), (arguments, done)
        assert word in done.stderr, (arguments, done.stderr)


def test_a_busy_port_is_told():
    with Server("sim") as sim:
        done = subprocess.run([PROGRAM, "sim", "--listen", f"127.0.0.1:{sim.port}"], capture_output=True, text=True,
                              timeout=10, check=False)
        assert done.returncode == 71 and str(sim.port) in done.stderr, done


def test_pingpong_comes_at_kis_s_time():
    with Server("sim", "--speed", "60") as sim:
        client = RawWs(sim)
        begin = time.monotonic()
        text = client.next(15)
        assert 9.5 < time.monotonic() - begin < 11.5
        assert re.fullmatch(r'\{"header":\{"tr_id":"PINGPONG","datetime":"\d{14}"\}\}', text), text
        if not LONG:
            return
        try:
            while True:
                client.next(30)
        except Closed as closed:
            assert closed.code is None
        assert 105 < time.monotonic() - begin < 115


if __name__ == "__main__":
    run_tests(globals())
