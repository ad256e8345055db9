#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A replay and its user: pause, seek, step, speed and loop over HTTP; gaps that are played; what people see and name."""
import json
import os
import subprocess
import time

import journal
from nb import PROGRAM, Server, run_tests, wait_for
from rawws import Closed, RawWs, Refused
from replays import JSON_TYPE, Listener, path_of, post, quiet_night, read_texts, replay, state


# ---- control ----

def test_pause_seek_step_and_speed():
    directory, recorded = quiet_night()
    with replay(directory, "--step") as server:
        ws = RawWs(server, "/+marks")
        ws.ask("*", "*")
        assert ws.code() == "OPSP0000"
        wait_for("begin", lambda: state(server)["state"] == "paused")
        assert ws.frames(0.3) == []
        payloads = [line.payload.decode() for line in recorded]
        post(server, {"step": 3})
        assert ws.frames(0.5) == payloads[:3]
        found = post(server, {"seek": "00:00:00", "step": 1})
        assert found["session_time"].startswith("2026-") and "T00:00:00.000" in found["session_time"], found
        assert "00:00:00" in ws.mark("NB_MOVED")["body"]["msg1"]
        text = ws.frames(0.5)
        assert len(text) == 1 and payloads.index(text[0]) > 100
        at = payloads.index(text[0])
        post(server, {"pause": False, "speed": 2})
        time.sleep(0.6)
        found = post(server, {"pause": True})
        played = ws.frames(0.5)
        assert played == payloads[at + 1:at + 1 + len(played)] and len(played) > 50
        assert abs(recorded[at + len(played)].recv_ns - recorded[at].recv_ns - 1.2e9) < 0.5e9
        first = found["session_time"]
        time.sleep(0.3)
        assert state(server)["session_time"] == first, "a pause stops time"
        post(server, {"seek": "23:59:57.5", "pause": False, "speed": "max"})  # back
        wait_for("its end", lambda: state(server)["state"] == "ended")
        rest = ws.frames(1)
        assert rest == payloads[-len(rest):] and len(rest) > at
        found = state(server)
        assert found["progress"] == 1 and found["speed"] == "max" and found["frames"] == 4 + len(played) + len(rest)
        for command in ({"seek": "12:00"}, {"speed": 0}, {"step": -1}, {"rewind": 1}, {}):
            assert post(server, command, 400)["msg_cd"] == "NB_REPLAY"
        status, _, body = server.http("POST", "/v1/replay", '{"speed":1}')
        assert status == 415 and b"application/json" in body
        status, _, _ = server.http("POST", "/v1/replay", '{"speed":1}', {**JSON_TYPE, "Origin": "http://evil.example"})
        assert status == 403


def test_loop_and_range():
    directory, recorded = quiet_night()
    with replay(directory, "--from", "00:00:00", "--to", "00:00:00.5", "--speed", "max", "--loop") as server:
        listener = Listener(server, [("*", "*")], "/+marks").start()
        wait_for("rounds", lambda: state(server)["rounds"] > 3)
        post(server, {"pause": True})
        time.sleep(0.3)
        frames = listener.frames()
        inside = [line.payload for line in recorded]
        begin = inside.index(frames[0])
        size = frames.index(frames[0], 1)
        assert 20 < size < 300
        for at, frame in enumerate(frames):
            assert frame == inside[begin + at % size], at
        assert any(b"NB_MOVED" in text for text in listener.texts())


# ---- gaps ----

def night_with_a_gap():
    """The look-alike goes away for a while: the link is lost and comes back."""
    directory = path_of("gap")
    if not os.path.isdir(directory):
        args = ("sim", "--rate", "400", "--at", "18:00:00", "--any-approval-key")
        sim = Server(*args)
        with Server("serve", "--feed", sim.url, "--journal", directory, "--keys", "30", "--on-loss", "keep") as live:
            wait_for("frames", lambda: live.json("/v1/status")["recorder"]["lines"] > 300, 20)
            sim.stop()
            time.sleep(0.5)
            sim = Server(*args, listen=f"127.0.0.1:{sim.port}")
            before = live.json("/v1/status")["recorder"]["lines"]
            wait_for("frames again", lambda: live.json("/v1/status")["recorder"]["lines"] > before + 300, 20)
        sim.stop()
    return directory, journal.all_lines(directory)


def test_a_gap_ends_the_connection_of_who_asked():
    directory, lines = night_with_a_gap()
    gaps = [line for line in lines if line.kind == "gap" and not line.mark().get("is_rest")]
    assert len(gaps) == 1, [gap.payload for gap in gaps]
    frames = [line.payload for line in lines if line.kind == "frame"]
    before = len([line for line in lines[:lines.index(gaps[0])] if line.kind == "frame"])
    with replay(directory, "--speed", "max", "--wait", "2") as server:
        stays = Listener(server, [("*", "*")], "/+marks").start()
        drops = Listener(server, [("*", "*")], "/+gaps/").start()
        drops.thread.join(15)
        texts, code = read_texts(b"".join(drops.chunks))
        first = [text for text in texts if text[:1] == b"0"]
        assert code == 1012 and first == frames[:before], (code, len(first), before)
        wait_for("it waits", lambda: state(server)["state"] == "waiting")
        back = Listener(server, [("*", "*")], "/+gaps/").start()
        wait_for("its end", lambda: state(server)["state"] == "ended", 20)
        wait_for("all", lambda: len(back.frames()) == len(frames) - before)
        assert first + back.frames() == frames, "nothing is lost between the two connections"
        wait_for("all", lambda: len(stays.frames()) == len(frames))
        codes = [json.loads(text)["body"]["msg_cd"] for text in stays.texts() if b"NIGHTBOOK" in text]
        assert codes.index("NB_GAP_BEGIN") < codes.index("NB_GAP_END"), codes


def test_gaps_drop_ends_all():
    directory, _ = night_with_a_gap()
    with replay(directory, "--speed", "max", "--gaps", "drop") as server:
        ws = RawWs(server)
        ws.ask("H0EUASP0", "*")
        try:
            while True:
                ws.next(10)
        except Closed as closed:
            assert closed.code == 1012 and b"recorded link" in closed.reason, closed
        wait_for("a new connection", lambda: _connects(server))


def _connects(server):
    try:
        RawWs(server).close()
        return True
    except Refused as refused:
        assert refused.status == 503
        return False


# ---- what people see ----

def test_replay_stands_everywhere():
    directory, _ = quiet_night()
    with replay(directory, "--speed", "0.5") as server:
        assert any(line.startswith("REPLAY listening") for line in server.log), server.log
        assert server.json("/v1/status")["banner"] == "REPLAY"
        assert server.json("/v1/status")["replay"]["state"] == "waiting"
        assert b"<h1>REPLAY</h1>" in server.http("GET", "/")[2]
        assert b"waiting at 20" in server.http("GET", "/")[2]
        assert b'feed_info{kind="replay"} 1' in server.http("GET", "/metrics")[2]
        assert server.http("GET", "/healthz")[2] == b"ok REPLAY\n"
        ws = RawWs(server)
        assert ws.headers["nightbook-clock"].startswith("replay; session=20") and ws.headers["nightbook-clock"].endswith("speed=0")
        ws.ask("H0EUASP0", "B01612A45")
        assert ws.code() == "OPSP0000"
        wait_for("play", lambda: state(server)["state"] == "playing")
        assert RawWs(server).headers["nightbook-clock"].endswith("speed=0.5")
        time.sleep(0.5)
    assert not any("\r" in line or "\x1b" in line for line in server.log), "no progress in a pipe"


def test_our_own_client_dates_frames_after_a_seek():
    """tap reads across a seek of hours... here of seconds over midnight: dates, not flags, tell."""
    directory, _ = quiet_night()
    with replay(directory, "--speed", "max", "--exit") as server:
        out = subprocess.run([PROGRAM, "tap", server.url, "--codes", "*"], capture_output=True, text=True,
                             timeout=20, check=False).stdout
        assert server.process.wait(10) == 0  # --exit; not ended by us meanwhile
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows and {row["trade_date"] for row in rows if "trade_date" in row} and not any(
        "far_time" in row.get("flags", []) for row in rows)


def test_places_and_words():
    directory, recorded = quiet_night()
    night = [name for name in os.listdir(directory) if name.isdigit()][0]
    data = path_of("data")
    os.makedirs(os.path.join(data, "nightbook"), exist_ok=True)
    link = os.path.join(data, "nightbook", "journal")
    if not os.path.islink(link):
        os.symlink(directory, link)
    environment = {**os.environ, "XDG_DATA_HOME": data}
    for place in (["last"], [night], [f"{night[:4]}-{night[4:6]}-{night[6:]}"], []):
        server = Server("replay", *place, "--wait", "0", "--speed", "max", "--exit", environment=environment)
        assert server.process.wait(10) == 0, server.log
    for args, code, words in ((["20200101"], 64, "no night"), (["/nonexistent"], 64, "/nonexistent"),
                              ([directory, "--from", "12:00"], 64, "recorded"), ([directory, "--speed", "0"], 64, "max"),
                              ([directory, "--rate", "5"], 64, "--rate"), ([directory, "--loop=1"], 64, "no value")):
        done = subprocess.run([PROGRAM, "replay", *args, "--listen", "127.0.0.1:0"], capture_output=True, text=True,
                              env=environment, timeout=10, check=False)
        assert done.returncode == code and words in done.stderr, (args, done)
    done = subprocess.run([PROGRAM, "serve", "--loop", "--listen", "127.0.0.1:0"], capture_output=True, text=True,
                          timeout=10, check=False)
    assert done.returncode == 64 and "replay" in done.stderr, done


def test_a_packed_night_is_the_same():
    directory, recorded = quiet_night()
    packed = path_of("packed")
    subprocess.run(["cp", "-r", directory, packed], check=True)
    journal.command("pack", packed)
    assert any(path.endswith(".zst") for path in journal.segments(packed))
    server = replay(packed, "--speed", "max", "--exit")
    assert Listener(server, [("*", "*")]).start().finish(20) == [line.payload for line in recorded]
    assert server.process.wait(5) == 0


if __name__ == "__main__":
    run_tests(globals())
