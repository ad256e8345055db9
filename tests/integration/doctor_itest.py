#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nightbook doctor`: from the configuration to the first frame, and what it says where the way ends."""
import json
import os
import subprocess

from live import APPKEY, HTS_ID, SECRET, Home, TlsFront, live_server
from nb import PROGRAM, Server, run_tests


def doctor(home, *args, within=60):
    """(exit code, {check: (verdict, detail, todo)} of the last row of each check)"""
    done = subprocess.run([PROGRAM, "doctor", "--json", *args], capture_output=True, text=True, timeout=within, check=False,
                          env=home.environment(), cwd=home.path)
    for secret in (APPKEY, SECRET, HTS_ID):
        assert secret not in done.stdout + done.stderr
    rows = json.loads(done.stdout)["checks"]
    return done.returncode, {row["check"]: (row["verdict"], row["detail"], row["todo"]) for row in rows}


def verdicts(checks):
    return {name: row[0] for name, row in checks.items()}


def test_all_is_well():
    with Home() as home, Server("sim", "--at", "02:00") as sim:
        home.live(f"{sim.host}:{sim.port}")
        front = TlsFront(home, sim)
        # a code that trades nowhere: silent, so that PINGPONG comes
        code, checks = doctor(home, "--prod", front.url, "--ca-file", front.ca_file, "--code", "B01612ZZZ",
                              "--journal", f"{home.path}/nights")
        assert not os.path.exists(f"{home.path}/nights"), "who only looks whether all is well records nothing"
        front.close()
        expected = dict.fromkeys(("secrets", "clock", "dns", "tls", "lock", "approval", "connect", "subscription",
                                  "pingpong"), "ok")
        assert {name: verdicts(checks)[name] for name in expected} == expected, checks
        assert checks["config"][0] == "warn" and "not KIS" in checks["config"][1]
        assert "heard" in checks["pingpong"][1] and "behind" in checks["clock"][1] or "ahead" in checks["clock"][1]
        assert code == 0, checks


def test_the_holder_of_the_lock_is_named():
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}")
        with live_server(home) as server:
            code, checks = doctor(home)
            assert code == 75 and str(server.process.pid) in checks["lock"][1], checks
            assert verdicts(checks)["approval"] == verdicts(checks)["data"] == "skip"


def test_a_broken_configuration_ends_it():
    with Home() as home:
        home.write("feed: kis\n")
        code, checks = doctor(home)
        assert code == 78 and verdicts(checks) == {"config": "fail"}, checks
        home.live("127.0.0.1:9")
        os.chmod(home.config, 0o640)
        code, checks = doctor(home)
        assert code == 78 and "chmod 600" in checks["config"][1], checks


def test_refusals_are_told_in_kis_own_words():
    with Home() as home, Server("sim", "--fault", "approval-refused:EGW00103") as sim:
        home.live(f"{sim.host}:{sim.port}")
        code, checks = doctor(home)
        assert code == 76 and checks["approval"][0] == "fail" and "EGW00103" in checks["approval"][1], checks
    with Home() as home, Server("sim", "--fault", "in-use:3600") as sim:
        home.live(f"{sim.host}:{sim.port}")
        code, checks = doctor(home)
        assert code == 76 and checks["subscription"][0] == "fail" and "OPSP8996" in checks["subscription"][1], checks


def test_nobody_there():
    with Home() as home:
        home.live("127.0.0.1:9")
        code, checks = doctor(home)
        assert code == 76 and checks["tls"][0] == "fail" and "nobody answers" in checks["tls"][2], checks
        assert {verdicts(checks)[name] for name in ("clock", "lock", "approval", "connect", "data")} == {"skip"}


if __name__ == "__main__":
    run_tests(globals())
