# SPDX-License-Identifier: Apache-2.0
"""`nightbook sim` as a process: what it says, when it ends, and that a seed is a market wherever it runs."""
import json
import os
import re
import subprocess
import tempfile
import time

from nb import HERE, LONG, PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs, REQUEST

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


def code_table():
    """{code: (rt_cd, msg1)} of kis.h"""
    with open(os.path.join(HERE, "../../src/kis/kis.h"), encoding="utf-8") as file:
        rows = re.findall(r'X\([A-Z0-9_]+, "(OPSP\d{4})", "(\d)", "([^"]+)"', file.read())
    assert len(rows) == 29, rows
    return {code: (rt_cd, msg1) for code, rt_cd, msg1 in rows}


def documented():
    """{code: (msg1, how to get it)} of docs/simulator.md"""
    with open(os.path.join(HERE, "../../docs/simulator.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| (OPSP\d{4}) \| (.+?) \| (.+) \|$", file.read(), re.MULTILINE)
    return {code: (text, how) for code, text, how in rows}


def provoke(sim):
    """Each code that comes without --refuse, as docs/simulator.md says: its body by code."""
    key, other, got = approval(sim), RawWs(sim), {}
    client = RawWs(sim)

    def hear(answer):
        got.setdefault(answer["body"]["msg_cd"], answer["body"])

    def ask(*arguments, key=key, socket=client):
        socket.ask(*arguments, key=key)
        hear(socket.answer())

    ask("H0EUASP0", "X1", key="never issued")
    for tr_type in "1122":
        ask("H0EUASP0", "X1", tr_type)
        if tr_type == "1":
            ask("H0EUASP0", "X2")
    ask("H0EUASP0", "X3")
    ask("H0EUASP0", "X4")
    ask("NOSUCH", "X1")
    ask("H0EUASP0", "X5", socket=other)
    good = REQUEST % (key, "1", "H0EUASP0", "X6")
    for old, new in (('"X6"', '"THIRTEENBYTES"'), (',"tr_key":"X6"', ""), ('"tr_type":"1"', '"tr_type":"3"'),
                     ('"custtype":"P"', '"custtype":"Z"'), ('"custtype":"P",', ""), ('"input"', '"output"'),
                     ('"body"', '"torso"'), ('"header"', '"head"'), ("}}}", "")):
        assert old in good
        client.send(good.replace(old, new))
        hear(client.answer())
    return got


def test_every_code_of_kis_can_be_had():
    table = code_table()
    with Server("sim", "--registrations", "2", "--quiet") as sim:
        got = provoke(sim)
    left = sorted(set(table) - set(got))
    assert set(got) <= set(table) and 0 < len(left) < 16, (got, left)
    refusals = [f"--refuse=KEY{code[4:]}={code}" for code in left + ["OPSP4242"]]
    with Server("sim", "--quiet", *refusals) as sim:
        key, client = approval(sim), RawWs(sim)
        for code in left + ["OPSP4242"]:
            client.ask("H0EUASP0", "KEY" + code[4:], key=key)
            got[code] = client.answer()["body"]
        client.ask("H0EUASP0", "OTHER", key=key)
        assert client.code() == "OPSP0000"
    assert left == [code for code, (_, how) in documented().items() if how.startswith("`--refuse`")]
    table["OPSP4242"] = ("1", "UNKNOWN")
    assert {code: (body["rt_cd"], body["msg1"]) for code, body in got.items()} == table


def test_every_code_can_be_had_for_every_key():
    for code in code_table():
        if code in ("OPSP0000", "OPSP0001"):
            continue
        with Server("sim", "--quiet", "--refuse", f"*={code}") as sim:
            key, client = approval(sim), RawWs(sim)
            client.ask("H0EUASP0", "B01612A40", key=key)
            assert client.code() == code


def test_the_document_has_kis_s_words():
    assert {code: text for code, (text, _) in documented().items()} == \
        {code: text for code, (_, text) in code_table().items()}


def test_wrong_arguments_are_told():
    for arguments, word in ((["--at", "12:00"], "no night session"), (["--at", "noon"], "no time"),
                            (["--at", "2026-11-19T18:30:00+09:00"], "2026-11-19 runs from 18:50 to 06:00"),
                            (["--at", "2026-11-22T18:30:00+09:00"], "none starts on 2026-11-22"),
                            (["--refuse", "X1"], "KEY=CODE"), (["--refuse", "X1=OPSP"], "four digits"),
                            (["--refuse", "X1=OPSP0000"], "success"), (["--refuse", "=OPSP0007"], "tr_key"),
                            (["--refuse", "X1=OPSP0007", "--refuse", "X1=OPSP0009"], "OPSP0007 already"),
                            ([f"--refuse=X{i}=OPSP0007" for i in range(17)], "16 times"),
                            (["--speed", "0"], "speed"), (["--truth", "/nonexistent/x"], "/nonexistent/x")):
        done = subprocess.run([PROGRAM, "sim", "--listen", "127.0.0.1:0", *arguments], capture_output=True, text=True,
                              timeout=10, check=False)
        assert done.returncode == (71 if "--truth" in arguments else 64), (arguments, done)
        assert word in done.stderr, (arguments, done.stderr)


def test_a_place_beyond_loopback_is_warned_of():
    # an address of no machine's (RFC 5737), so that nothing listens on the network
    done = subprocess.run([PROGRAM, "sim", "--listen", "192.0.2.1:0"], capture_output=True, text=True, timeout=10,
                          check=False)
    assert done.returncode == 71 and "appkeys sent here travel in clear" in done.stderr, done
    for listen in ("127.0.0.1:0", "localhost:0"):
        with Server("sim", listen=listen) as sim:
            assert "in clear" not in "".join(sim.log), sim.log


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
