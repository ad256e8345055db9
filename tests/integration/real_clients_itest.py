#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that nobody here wrote, through the gateway, against the look-alike's own truth: field by field, each record
once, in order, nothing between them lost."""
import json
import os
import subprocess
import tempfile
from decimal import Decimal

from nb import HERE, LONG, Server, run_tests, wait_for

PYTHON = "/usr/bin/python3"
CLIENTS = {
    "npm ws": ["node", os.path.join(HERE, "client_ws.mjs")],
    "python3-websockets": [PYTHON, os.path.join(HERE, "client_websockets.py")],
    "python3-websocket": [PYTHON, os.path.join(HERE, "client_websocket.py")],
}
SECONDS = 60 if LONG else 6


def records_of(frame):
    """(tr_id, fields of each record)"""
    encrypted, tr_id, count, payload = frame.split("|", 3)
    assert encrypted == "0", frame
    fields = payload.split("^")
    stride, rest = divmod(len(fields), int(count))
    assert rest == 0, frame
    return [(tr_id, fields[i * stride:(i + 1) * stride]) for i in range(int(count))]


def number_of(text):
    return int(Decimal(text) * 1_000_000_000)


def as_truth(tr_id, fields):
    """A record of the wire in the words of the look-alike's truth."""
    prices = [number_of(f) or None for f in fields[2:12]]
    counts, totals = [int(f) for f in fields[12:32]], [int(f) for f in fields[32:38]]
    truth = {"tr_id": tr_id, "tr_key": fields[0], "hhmmss": int(fields[1])}
    for i, side in enumerate(("ask", "bid")):
        truth[f"{side}_price_e9"] = prices[i * 5:i * 5 + 5]
        truth[f"{side}_count"] = counts[i * 5:i * 5 + 5]
        truth[f"{side}_quantity"] = counts[10 + i * 5:15 + i * 5]
        truth[f"total_{side}_count"], truth[f"total_{side}_quantity"], truth[f"total_{side}_change"] = totals[i::2]
    return truth


def truth_by_key(path):
    by_key = {}
    with open(path) as file:
        for line in file:
            if not line.endswith("}\n"):
                break  # the last line may be under way
            row = json.loads(line)
            for name in ("frame", "record", "at_ns"):
                del row[name]
            by_key.setdefault((row["tr_id"], row["tr_key"]), []).append(row)
    return by_key


def assert_is_run_of(seen, truth, who):
    """`seen` stands in `truth` without a hole."""
    starts = [i for i, row in enumerate(truth) if row == seen[0]]
    assert any(truth[i:i + len(seen)] == seen for i in starts), \
        f"{who}: {len(seen)} records of {seen[0]['tr_key']} are not a run of the truth's {len(truth)}"


def check_output(who, lines, registrations, truth):
    """@return how many records were compared."""
    answers = [json.loads(line[2:]) for line in lines if line.startswith('C {') and '"PINGPONG"' not in line]
    assert [a["body"]["msg_cd"] for a in answers] == ["OPSP0000"] * len(registrations), (who, answers)
    assert all(len(a["body"]["output"]["iv"]) == 16 for a in answers)
    seen = {}
    for line in lines:
        if line.startswith("D "):
            for tr_id, fields in records_of(line[2:]):
                seen.setdefault((tr_id, fields[0]), []).append(as_truth(tr_id, fields))
    assert set(seen) <= {tuple(r.split(":")) for r in registrations}, (who, "a key that it did not ask for")
    for key, rows in seen.items():
        assert_is_run_of(rows, truth[key], who)
    return sum(len(rows) for rows in seen.values())


def liveliest(server, count):
    """Registrations that the feed delivers, most updated first."""
    def books():
        found = server.json("/v1/books")["books"]
        return found if len(found) >= count else None
    found = sorted(wait_for(f"{count} books", books, 30), key=lambda b: -b["update_count"])
    return [f"{b['tr_id']}:{b['tr_key']}" for b in found[:count]]


def run_clients(server, truth_path, modes, registrations_count=12):
    registrations = liveliest(server, registrations_count)
    running = [(f"{name}, {mode}", subprocess.Popen([*command, server.url + "/tryitout", str(SECONDS), mode, *registrations],
                                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
               for name, command in CLIENTS.items() for mode in modes]
    outputs = [(who, process.communicate(timeout=SECONDS + 30), process.returncode) for who, process in running]
    truth = truth_by_key(truth_path)
    for who, (out, err), code in outputs:
        assert code == 0, f"{who}: exit {code}\n{err}"
        compared = check_output(who, out.splitlines(), registrations, truth)
        assert compared > 20, f"{who}: only {compared} records"
        print(f"        {who}: {compared} records are the look-alike's, field by field")


def test_through_a_gateway_on_a_look_alike_with_41_slots():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "truth.jsonl")
        with Server("sim", "--seed", "11", "--rate", "3000", "--at", "19:00", "--truth", path) as sim, \
                Server("serve", "--feed", sim.url) as server:
            run_clients(server, path, ("pong", "echo", "ping"))


def test_the_look_alike_itself():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "truth.jsonl")
        with Server("sim", "--seed", "12", "--rate", "3000", "--at", "19:00", "--truth", path) as sim:
            with Server("serve", "--feed", sim.url) as server:  # tells which codes live
                registrations = liveliest(server, 5)
            for name, command in CLIENTS.items():
                done = subprocess.run([*command, sim.url, "3", "pong", *registrations], capture_output=True, text=True,
                                      timeout=30, check=True)
                assert check_output(name, done.stdout.splitlines(), registrations, truth_by_key(path)) > 10


def test_who_never_answers_pingpong_but_pings_stays():
    with Server("sim", "--seed", "13") as sim, Server("serve", "--feed", sim.url) as server:
        running = [(name, subprocess.Popen([*command, server.url, "14", "ping", "H0EUASP0:STALE1"],
                                           stdout=subprocess.PIPE, text=True)) for name, command in CLIENTS.items()]
        for name, process in running:
            lines = process.communicate(timeout=40)[0].splitlines()
            assert any('"PINGPONG"' in line for line in lines), f"{name}: idle, and no PINGPONG came"
            assert not any(line.startswith("X 1006") for line in lines), (name, lines)


run_tests(globals())
