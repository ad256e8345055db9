#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A night with every fault: three appkeys, a look-alike that misbehaves by a script, clients that come and go.

What nightbook read is known byte by byte (a relay stands between). From it follows what each subscriber must have got:
every sound record of its keys from its SUBSCRIBE SUCCESS on, once, in order, without a hole. The ordinary run takes 40 seconds
at 60 session seconds a second; with NB_LONG 12 session hours (12 minutes).
"""
import asyncio
import bisect
import codecs
import json
import os
import random
import tempfile
import time

import websockets

from live import SECRET, Home, Relay, live_server, messages
from nb import LONG, Server, run_tests, wait_for
from rawws import REQUEST

SPEED = 60
SECONDS = 12 * 3600 / SPEED if LONG else 40
CLIENTS = 100 if LONG else 30
KEYS = [(f"PSsoakAPPKEYsoakAPPKEY{os.getpid():08d}-{i}", SECRET) for i in range(3)]
CONNECTS, WINDOW_S = 4, 10  # the budget, ten session minutes
LAG_S = 5 if os.environ.get("NB_SANITIZE") else 2  # from the relay to a client's list, on a busy machine

# from second to second of a round (None: it strikes once); the long run repeats the round
FAULTS = [(0, 40, "ping-close"), (2, 5, "extra-fields:2"), (3, 8, "burst:20,every=5"), (4, 7, "blanks:every=7"), (6, None, "eof"),
          (7, 12, "answer-late:300ms"), (8, 12, "not-utf8:every=20"), (10, 14, "fragments:3,every=3"),
          (12, 15, "middle-field:every=40"), (13, 18, "truncated:every=25"), (16, 17, "one-byte:every=50"),
          (17, None, "rst"), (18, 22, "garbage:every=30"), (20, 24, "answer-null:chance=0.5"),
          (21, 26, "latency:50ms,jitter=30ms"), (24, None, "silent"), (27, 30, "answer-missing:every=4"),
          (29, None, "eof"), (29, 31, "bad-approval:first=1"), (28, 32, "approval-slow:500ms"), (32, 34, "answer-order:every=3"),
          (34, None, "half-open:lasts=3s"), (36, 38, "full:30"), (38, None, "friday-restart:1s")]
# what is waited out for a minute and more, once each in the long run
SELDOM = [(160, 162, "in-use:2s"), (300, 325, "hold:1s"), (440, 475, "approval-refused:EGW00133"), (600, 603, "full:12")]

codecs.register_error("question", lambda error: ("?" * (error.end - error.start), error.end))


def sound_records(text):
    """(tr_id, key, record) of each record of a frame whose records can be told apart, else nothing."""
    if text[:2] not in ("0|", "1|") or text[0] == "1" or text.count("|") < 3:
        return []
    _, tr_id, count, payload = text.split("|", 3)
    fields = payload.split("^")
    if not (len(count) == 3 and count.isdigit() and int(count) > 0):
        return []
    for known in (fields[:-1] if fields[-1] == "" else None, fields):
        if known is not None and len(known) % int(count) == 0 and len(known) // int(count) >= 38:
            stride = len(known) // int(count)
            return [(tr_id, known[i * stride], "^".join(known[i * stride:(i + 1) * stride])) for i in range(int(count))]
    return []


def read_by_nightbook(relay):
    """By (tr_id, key): [(record, whether it may have been lost with its link, when)] in order of the links' bytes."""
    by_key = {}
    for row in relay.connections:
        if row["kind"] != "link" or not row["times"]:
            continue
        offsets, times = zip(*row["times"])
        records = [(*record, times[bisect.bisect_left(offsets, end)]) for text, end in messages(bytes(row["bytes"]))
                   for record in sound_records(text.decode("utf-8", "question"))]
        for i, (tr_id, key, record, when) in enumerate(records):
            # what was on its way when the link was cut may not have been read
            by_key.setdefault((tr_id, key), []).append((record, row["end"] is not None and i >= len(records) - 60, when))
    return by_key


def is_whole(got, truth, begin, end):
    """Whether `got` is a run of `truth` that leaves out nothing but what may have been lost, and reaches from `begin` to
    `end`."""
    due = [i for i, (_, is_lossy, when) in enumerate(truth) if not is_lossy and begin + LAG_S < when < end - LAG_S]
    if not got:
        return not due
    for start in (i for i, row in enumerate(truth) if row[0] == got[0]):
        at, i = start, 0
        while i < len(got) and at < len(truth):
            if truth[at][0] == got[i]:
                i += 1
            elif not truth[at][1]:
                break
            at += 1
        if i == len(got) and (not due or start <= due[0] and due[-1] < at):
            return True
    return False


async def one_life(url, keys, seconds, out):
    """Subscribe, listen; `out` gets (key, records, since when, until when) of each key that was confirmed."""
    got = {key: [] for key in keys}
    confirmed = {}
    try:
        async with websockets.connect(url, ping_interval=None, max_queue=None, close_timeout=1) as ws:
            for tr_id, key in keys:
                await ws.send(REQUEST % ("any", "1", tr_id, key))
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                try:
                    text = await asyncio.wait_for(ws.recv(), left)
                except asyncio.TimeoutError:
                    break
                if text[0] == "{":
                    body = json.loads(text)
                    if "PINGPONG" in text:
                        await ws.send(text)
                    elif body["body"]["msg_cd"] == "OPSP0000":
                        confirmed[body["header"]["tr_id"], body["header"]["tr_key"]] = time.time()
                    continue
                for tr_id, key, record in sound_records(text):
                    if (tr_id, key) in got:
                        got[tr_id, key].append(record)
    except (websockets.exceptions.WebSocketException, OSError):
        out["closed"] += 1
    out["lives"] += 1
    until = time.time()
    out["runs"] += [(key, got[key], since, until) for key, since in confirmed.items() if key in got]


async def one_client(url, codes, end, out, seed):
    draw = random.Random(seed)
    while time.monotonic() < end - 2:
        keys = [("H0EUASP0", code) for code in draw.sample(codes, draw.randint(1, 6))]
        await one_life(url, keys, min(draw.uniform(3, 15), end - time.monotonic()), out)
        await asyncio.sleep(draw.uniform(0.1, 1))


async def watcher(url, end, marks):
    """One who stays: the marks of gaps."""
    while time.monotonic() < end:
        try:
            async with websockets.connect(url + "/+marks", ping_interval=None, max_queue=None) as ws:
                await ws.send(REQUEST % ("any", "1", "H0EUASP0", "*"))
                while (left := end - time.monotonic()) > 0:
                    text = await asyncio.wait_for(ws.recv(), left)
                    if '"NIGHTBOOK"' in text:
                        marks.append(json.loads(text)["body"]["msg_cd"])
                    elif '"PINGPONG"' in text:
                        await ws.send(text)
        except (websockets.exceptions.WebSocketException, OSError, asyncio.TimeoutError):
            await asyncio.sleep(0.2)


def fault_script():
    """The round of faults, over and over until the end."""
    lines, round_s = [], 40
    for begin in range(0, int(SECONDS), round_s):
        for at, until, fault in FAULTS:
            span = f"+{begin + at}s" if until is None else f"+{begin + at}s..+{begin + until}s"
            lines.append(f"{span} {fault}")
    lines += [f"+{at}s..+{until}s {fault}" for at, until, fault in SELDOM if LONG]
    return "\n".join(lines) + "\n"


def check_budget(relay):
    attempts = sorted(row["begin"] for row in relay.connections if row["kind"] == "link")
    most = max((sum(at <= other < at + WINDOW_S - 0.5 for other in attempts) for at in attempts), default=0)
    assert most <= CONNECTS * len(KEYS), f"{most} connections within {WINDOW_S} s"


def test_a_night_with_every_fault():
    with Home() as home, tempfile.NamedTemporaryFile("w", suffix=".faults") as script:
        script.write(fault_script())
        script.flush()
        with Server("sim", "--at", "18:00", "--speed", str(SPEED), "--rate", "400", "--keys", "160", "--fault-script",
                    script.name) as sim:
            relay = Relay(sim)
            home.live(relay.address, f"connects: {CONNECTS}\nconnects_window: {WINDOW_S}\nwatchdog: 3\non_loss: keep\n"
                      "window: [nearest:8]\n", keys=KEYS)
            with live_server(home) as server:
                wait_for("the links are up", lambda: all(r["is_up"] for r in server.json("/v1/status")["feeds"]), 20)
                wait_for("a plan", lambda: len(server.json("/v1/slots")["slots"]) > 20, 20)
                run_night(server, relay)
            relay.close()


def run_night(server, relay):
    codes = [row["tr_key"] for row in server.json("/v1/slots")["slots"] if row["tr_id"] == "H0EUASP0"]
    out, marks, memory = {"lives": 0, "closed": 0, "runs": []}, [], []

    async def crowd():
        end = time.monotonic() + SECONDS
        tasks = [one_client(server.url, codes, end, out, seed) for seed in range(CLIENTS)]
        tasks += [watcher(server.url, end, marks)]

        async def measure():
            while time.monotonic() < end:
                await asyncio.sleep(SECONDS / 20)
                memory.append(server.memory_kb())

        await asyncio.gather(measure(), *tasks)

    asyncio.run(crowd())
    watched_until = time.time() - LAG_S
    time.sleep(0.5)
    truth = read_by_nightbook(relay)
    records = sum(len(run[1]) for run in out["runs"])
    broken = [(key, got) for key, got, *when in out["runs"] if not is_whole(got, truth.get(key, []), *when)]
    links = [row for row in relay.connections if row["kind"] == "link"]
    print(f"   {out['lives']} client lives, {out['closed']} closed by faults, {records} records, "
          f"{len(links)} links, {marks.count('NB_GAP_BEGIN')} gaps", flush=True)
    assert out["lives"] >= CLIENTS and records > 20 * CLIENTS, out["lives"]
    assert not broken, f"{len(broken)} of {len(out['runs'])} runs are not whole; the first: {broken[0][0]}"
    # one that was cut before its 101 was never up
    ends_of_links = [row["end"] for row in links if row["end"] is not None and row["bytes"].startswith(b"HTTP/1.1 101")]
    ended = sum(end < watched_until for end in ends_of_links)
    begins, ends = marks.count("NB_GAP_BEGIN"), marks.count("NB_GAP_END")
    assert ended <= begins <= len(ends_of_links), (begins, ended, len(ends_of_links))
    assert 0 <= begins - ends <= len(KEYS), (begins, ends)
    check_budget(relay)
    settled = memory[len(memory) // 4]
    assert max(memory[len(memory) // 4:]) < settled * 1.25 + 8192, memory
    assert server.process.poll() is None


if __name__ == "__main__":
    run_tests(globals())
