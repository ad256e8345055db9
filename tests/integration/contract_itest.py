#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway promises to clients (docs/gateway.md), shown on a running `nightbook serve`."""
import json
import re
import socket
import subprocess
import time

from nb import PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs, Refused

BOOK = "H0EUASP0"


def moving(server, count=1):
    """Codes whose books have come, most updated first."""
    def books():
        found = [book for book in server.json("/v1/books")["books"] if book["tr_id"] == BOOK]
        return found if len(found) >= count else None
    found = wait_for(f"{count} books", books, 15)
    return [book["tr_key"] for book in sorted(found, key=lambda b: -b["update_count"])]


def test_a_success_has_what_kis_has_for_second_clients_too():
    with Server("serve", "--feed", "sim") as server:
        code = moving(server)[0]
        seen = set()
        for path in ("/", "/tryitout", "/tryitout/H0EUASP0", "/any/path?x=1"):
            ws = RawWs(server, path)
            ws.ask(BOOK, code)
            answer = ws.answer()
            assert answer["header"] == {"tr_id": BOOK, "tr_key": code, "encrypt": "N"}, answer
            body = answer["body"]
            assert (body["rt_cd"], body["msg_cd"], body["msg1"]) == ("0", "OPSP0000", "SUBSCRIBE SUCCESS"), body
            assert len(body["output"]["iv"]) == 16 and len(body["output"]["key"]) == 32
            seen.add(body["output"]["key"])
            ws.close()
        assert len(seen) == 4, "each client has a key of its own"


def test_kis_codes_for_what_clients_get_wrong():
    with Server("serve", "--feed", "sim") as server:
        ws = RawWs(server)
        ask = '{"header":{"approval_key":"k","custtype":"P","tr_type":"1"},"body":{"input":{"tr_id":"H0EUASP0","tr_key":"X1"}}}'
        cases = [
            ("nonsense", "OPSP9999"), ("[]", "OPSP9998"), ('{"a":1,"a":2}', "OPSP9999"), (ask.replace("X1", "\\u0000"), None),
            ('{"body":{}}', "OPSP9998"),
            (ask.replace('"custtype":"P",', ""), "OPSP9997"), (ask.replace('"P"', '"Z"'), "OPSP8998"),
            (ask.replace('"tr_type":"1"', '"tr_type":"3"'), "OPSP8997"),
            ('{"header":{"approval_key":"k","custtype":"P","tr_type":"1"}}', "OPSP9992"),
            ('{"header":{"approval_key":"k","custtype":"P","tr_type":"1"},"body":{}}', "OPSP9991"),
            (ask.replace('"X1"', '"1234567890123"'), "OPSP8993"), (ask.replace('"X1"', '""'), "OPSP8993"),
            (ask.replace('"X1"', '5'), "OPSP8993"), (ask.replace(',"tr_key":"X1"', ""), "OPSP9990"),
            ("x" * 10000, "OPSP9999"),
        ]
        for text, code in cases:
            ws.send(text)
            answer = ws.answer()
            assert answer["header"]["tr_id"] == "(null)" and answer["header"]["tr_key"] == "", answer
            assert answer["body"]["rt_cd"] == "9" and set(answer["body"]) >= {"msg_cd", "msg1"}, answer
            assert code is None or answer["body"]["msg_cd"] == code, (text, answer)
        ws.ask(BOOK, "STALE1")  # a code that does not exist: success, and silence, as at KIS
        assert ws.code() == "OPSP0000"
        ws.ask(BOOK, "STALE1")
        assert ws.code() == "OPSP0002"
        ws.ask(BOOK, "STALE1", "2")
        assert ws.code() == "OPSP0001"
        ws.ask(BOOK, "STALE1", "2")
        assert ws.code() == "OPSP0003"
        other = RawWs(server)
        other.ask(BOOK, "STALE1")
        assert other.code() == "OPSP0000", "a repeat on another connection is no repeat"


def test_each_frame_once_and_the_same_to_all():
    with Server("serve", "--feed", "sim", "--rate", "2000") as server:
        code = moving(server)[0]
        one, star = RawWs(server), RawWs(server)
        for ws, keys in ((one, [code]), (star, ["*", code])):
            for key in keys:
                ws.ask(BOOK, key)
                assert ws.code() == "OPSP0000"
        mine = one.frames(3)
        all_ = star.frames(0.5)
        assert mine and all(frame.split("|")[1] == BOOK for frame in mine)
        assert all(record_key(frame) == {code} for frame in mine)
        own = [frame for frame in all_ if record_key(frame) == {code}]
        assert own, "the broadcast client has the key too"
        common = [frame for frame in mine if frame in set(own)]
        assert len(own) == len(set(own)), "once"
        assert common == [frame for frame in own if frame in set(mine)], "and in the same order"


def record_key(frame):
    """The keys of a frame's records."""
    head, tr, count, payload = frame.split("|", 3)
    fields = payload.split("^")
    if fields[-1] == "" and len(fields) % int(count):
        fields.pop()
    stride = len(fields) // int(count)
    return set(fields[::stride][:int(count)])


def test_the_last_value_comes_at_once_when_asked_for():
    with Server("serve", "--feed", "sim") as server:
        code = moving(server)[-1]
        ws = RawWs(server, "/+last/tryitout")
        ws.ask(BOOK, code)
        assert ws.code() == "OPSP0000"
        assert ws.next(1).startswith(f"0|{BOOK}|001|{code}^")
        star = RawWs(server, "/+last")
        had_a_value = set(moving(server))
        star.ask(BOOK, "*")
        assert star.code() == "OPSP0000"
        keys = set()
        for frame in star.frames(1):
            keys |= record_key(frame)
        assert keys >= had_a_value, had_a_value - keys
        try:
            RawWs(server, "/+lats/tryitout")
            raise AssertionError("an unknown opt-in was accepted")
        except Refused as refused:
            assert refused.status == 400 and b"last" in refused.body


def test_tidy_gives_one_record_of_the_documented_width():
    with Server("serve", "--feed", "sim", "--rate", "5000") as server:
        moving(server)
        tidy, plain = RawWs(server, "/+tidy"), RawWs(server)
        for ws in (tidy, plain):
            ws.ask(BOOK, "*")
            assert ws.code() == "OPSP0000"
        frames = tidy.frames(3)
        assert frames and all(f.split("|")[2] == "001" and f.count("^") == 37 for f in frames)
        assert any(f.split("|")[2] != "001" for f in plain.frames(1)), "the feed has frames of several records"


def test_host_and_origin_are_checked():
    with Server("serve", "--feed", "sim") as server:
        here = f"{server.host}:{server.port}"
        for host in (here, f"localhost:{server.port}", "ops.koreainvestment.com:21000", "ops.koreainvestment.com"):
            RawWs(server, host=host).close()
            assert server.http("GET", "/healthz", headers={"Host": host})[0] == 200, host
        RawWs(server, headers={"Origin": "http://" + here}).close()
        for status, host, headers in ((421, "evil.example", {}), (421, "127.0.0.1.evil.example", {}),
                                      (403, here, {"Origin": "null"}), (403, here, {"Origin": "http://evil.example"}),
                                      (403, here, {"Origin": "https://" + here + ".evil.example"})):
            try:
                RawWs(server, host=host, headers=headers)
                raise AssertionError(f"accepted {host} {headers}")
            except Refused as refused:
                assert refused.status == status, refused
            assert server.http("GET", "/v1/status", headers={"Host": host, **headers})[0] == status
        for path in ("/", "/v1/status", "/metrics"):
            assert not any("access-control" in name.lower() for name in server.http("GET", path)[1]), "no CORS"


def test_rest_that_is_ours_and_rest_that_stays_at_kis():
    with Server("serve", "--feed", "sim") as server:
        code = moving(server)[0]
        status = server.json("/v1/status")
        assert "SIMULATED" in json.dumps(status)
        book = server.json(f"/v1/books/{BOOK}/{code}")
        assert book["optn_shrn_iscd"] == code and "optn_askp1" in book and book["update_count"] > 0, book
        assert server.http("GET", f"/v1/books/{BOOK}/NOSUCH")[0] == 404
        code, headers, body = server.http("POST", "/oauth2/Approval", json.dumps(
            {"grant_type": "client_credentials", "appkey": "a" * 36, "secretkey": "b" * 180}))
        assert code == 200 and list(json.loads(body)) == ["approval_key"]
        code, _, body = server.http("GET", "/uapi/domestic-futureoption/v1/quotations/inquire-price")
        assert code == 404 and set(json.loads(body)) >= {"rt_cd", "msg_cd", "msg1"}
        code, _, body = server.http("POST", "/tryitout/H0EUASP0", "{}")
        assert code == 426 and b"ws" in body
        assert server.http("POST", "/v1/status", "x")[0] == 405
        code, headers, body = server.http("GET", "/")
        assert code == 200 and b"SIMULATED" in body and headers["Content-Type"].startswith("text/html")


def test_metrics_are_prometheus_text():
    with Server("serve", "--feed", "sim") as server:
        moving(server)
        code, headers, body = server.http("GET", "/metrics")
        assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        helps, types, values = set(), {}, {}
        for line in body.decode().splitlines():
            if line.startswith("# HELP "):
                helps.add(line.split()[2])
            elif line.startswith("# TYPE "):
                types[line.split()[2]] = line.split()[3]
            else:
                name, value = re.fullmatch(r"([a-z0-9_]+)(?:\{[^}]*\})? (\S+)", line).groups()
                values[name] = float(value)
        for name in [name for name, kind in types.items() if kind == "summary"]:  # it has two more
            assert values.pop(f"{name}_sum") > 0 and values.pop(f"{name}_count") > 0, name
        assert helps == set(types) and set(values) == set(types), set(values) ^ set(types)
        assert all(name.startswith("nightbook_") for name in types)
        for name, kind in types.items():
            assert (kind == "counter") == name.endswith("_total"), (name, kind)
        assert sum("frames" in name and value > 0 for name, value in values.items())


def test_pingpong_comes_to_the_idle_and_an_answer_keeps_the_link():
    with Server("serve", "--feed", "sim") as server:
        ws = RawWs(server)
        begin = time.monotonic()
        text = ws.next(20)
        assert re.fullmatch(r'\{"header":\{"tr_id":"PINGPONG","datetime":"\d{14}"\}\}', text), text
        assert 8 <= time.monotonic() - begin <= 20
        ws.send(text)  # the text echo is an answer, and is not answered itself
        ws.socket.sendall(ws.frame(10, text.encode()))  # so is a PONG frame
        ws.socket.sendall(ws.frame(9, b"are you there"))
        while (got := ws.next_frame())[0] == 1:
            assert "OPSP" not in got[1].decode()
        assert got == (10, b"are you there"), "a client's PING is answered"


def test_the_end_is_told_to_clients_and_takes_under_a_second():
    server = Server("serve", "--feed", "sim", "--rate", "5000")
    clients = [RawWs(server) for _ in range(50)]
    for ws in clients:
        ws.ask(BOOK, "*")
    assert all(ws.code() == "OPSP0000" for ws in clients)
    assert server.stop() < 1.0
    codes = set()
    for ws in clients:
        try:
            while True:
                ws.next(2)
        except Closed as closed:
            codes.add(closed.code)
    assert codes == {1001}, codes


def test_the_feed_may_go_and_come_back():
    sim = Server("sim", "--seed", "3")
    with Server("serve", "--feed", sim.url) as server:
        code = moving(server)[0]
        ws = RawWs(server, "/+marks")
        ws.ask(BOOK, code)
        assert ws.code() == "OPSP0000"
        port = sim.port
        sim.stop()
        ws.mark("NB_GAP_BEGIN")  # a gap is marked for who asked
        late = RawWs(server)  # while the link is down a subscribe is answered within a second
        begin = time.monotonic()
        late.ask(BOOK, code)
        assert late.code() == "OPSP0000" and time.monotonic() - begin < 1.2
        assert "stale" in server.json(f"/v1/books/{BOOK}/{code}")["flags"]
        with Server("sim", "--seed", "3", listen=f"127.0.0.1:{port}"):
            wait_for("frames again", lambda: late.frames(1), 30)
            assert "stale" not in server.json(f"/v1/books/{BOOK}/{code}")["flags"]


def test_refusals_at_start_are_told_in_words():
    def refused(*args):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=10)
        return done.returncode, done.stderr
    code, words = refused("serve", "--listen", "0.0.0.0:0")
    assert code == 64 and "key" in words, words
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, words = refused("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        assert code == 71 and "in use" in words and "--listen" in words, (code, words)
    code, words = refused("serve", "--feed", "kis")
    assert code == 78 and "no appkey" in words and "config --init" in words, words
    code, words = refused("serve", "--no-such-option")
    assert code == 64 and "--no-such-option" in words
    code, words = refused("serve", "--feed", "http://x")
    assert code == 64 and "ws://" in words
    code, words = refused("srve")
    assert code == 64 and "serve" in words


run_tests(globals())
