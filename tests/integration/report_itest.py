#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nightbook report of recorded nights: every number counted again by this script from what it wrote itself; the page looked
at as a browser would; hostile texts stay text; evidence beside it; and the report that serve writes at a night's end."""
import collections
import datetime
import glob
import html.parser
import json
import os
import random
import subprocess
import tempfile

import nb
import nightmaker

NS, MINUTE = 10**9, 60 * 10**9
OPEN = nightmaker.EVENING_NS                         # 18:00
RECEIPT, CLOSING, END = OPEN - 10 * MINUTE, OPEN + 710 * MINUTE, OPEN + 720 * MINUTE
KEYS = [("H0EUASP0", f"B01612A{n}") for n in range(40, 52)] + [("H0MFASP0", "A01612"), ("H0XXXXX0", "ODD")]


def report(*args, expect=0, **how):
    done = subprocess.run([nb.PROGRAM, "report", *map(str, args)], capture_output=True, timeout=60, **how)
    assert done.returncode == expect, (args, done.returncode, done.stderr.decode())
    return done.stdout.decode()


def kst(ns):
    text = datetime.datetime.fromtimestamp(ns // NS, datetime.timezone(datetime.timedelta(hours=9))).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ns % NS // 10**6:03}+09:00"


class Made(nightmaker.Night):
    """A night of which everything that was written is remembered in `events`: (what, time, …)."""

    def __init__(self, directory, seed, steps=3000):
        super().__init__(directory, begin_ns=RECEIPT - 5 * MINUTE)
        self.random, self.market, self.events = random.Random(seed), nightmaker.Market(seed), []
        self.number, self.links, self.keys = 0, {}, {}
        self.up("main")
        self.up("second")
        for _ in range(steps):
            self.now_ns += int(self.random.expovariate(1 / 14e9))
            self.step()
        self.last_ns = self.now_ns
        self.write()

    def line(self, link, kind, payload, recv_ns=None):
        super().line(link, kind, payload.replace("\\", "\\x5c"), recv_ns)

    def note(self, what, *more):
        self.events.append((what, self.now_ns, *more))

    def up(self, label):
        self.number += 1
        self.links[label] = self.number
        self.line(self.number, "connect", json.dumps({"feed": label, "address": "ws://ops:21000", "is_continued": False,
                                                      "clock": f"live; session={kst(self.now_ns)}; speed=1"}, separators=(",", ":")))
        self.note("up", label)

    def down(self, label):
        reason, rest = self.random.choice([("silent for 45 s", False), ("<b>cut</b> & \"gone\"", False), ("outside its hours", True)])
        self.line(self.links.pop(label), "gap", json.dumps({"reason": reason, "is_rest": rest}, separators=(",", ":")))
        self.note("down", label, reason, rest)

    def answer(self, label, key, msg_cd, rt_cd, msg1):
        self.line(self.links[label], "answer", json.dumps({"tr_id": key[0], "tr_key": key[1], "rt_cd": rt_cd, "msg_cd": msg_cd,
                                                           "msg1": msg1}, separators=(",", ":")))
        self.note("answer", label, key, msg_cd)

    def step(self):
        dice, label = self.random.random(), self.random.choice(["main", "second"])
        if label not in self.links:
            self.up(label)
        elif dice < .01:
            self.down(label)
        elif dice < .05:
            self.answer(label, self.random.choice(KEYS), *self.random.choice(
                [("OPSP0000", "0", "SUBSCRIBE SUCCESS")] * 4 + [("OPSP0001", "0", "UNSUBSCRIBE SUCCESS"),
                                                              ("OPSP0008", "1", "MAX SUBSCRIBE OVER")]))
        elif dice < .06:
            self.line(self.links[label], "drift", '{"tr_id":"H0EUASP0","fields":40,"documented":38}')
            self.note("drift")
        elif dice < .07:
            self.line(0, "clock", '{"step_ns":-87000000}')
            self.note("clock")
        elif dice < .08:
            self.line(0, "disk", json.dumps({"reason": "No space left on device", "since_ns": self.now_ns - 9 * NS, "lost_lines": 7,
                                             "lost_bytes": 900}, separators=(",", ":")))
            self.note("disk")
        else:
            self.some_frame(label)

    def some_frame(self, label):
        key, time = self.random.choice(KEYS), nightmaker.hhmmss(self.now_ns)
        if key[0] == "H0XXXXX0":
            records = [f"{key[1]}^{time}^x"]
        else:
            records = [self.market.record(key[1], time, self.random.choice([5, 5, 1, 0])) for _ in range(self.random.randrange(1, 4))]
        text = f"0|{key[0]}|{len(records):03}|{'^'.join(records)}"
        if self.random.random() < .01:
            text = "0|H0EUASP0|broken"
            records = []
        self.line(self.links[label], "frame", text)
        self.note("frame", label, key, records, len(text.encode()))


class Longest:
    """The longest of the pauses within the session; the first of equals."""

    def __init__(self):
        self.found = None

    def pause(self, begin, end):
        begin, end = max(begin, RECEIPT), min(end, END)
        if end > begin and (self.found is None or end - begin > self.found[1] - self.found[0]):
            self.found = (begin, end)

    def as_json(self):
        return self.found and {"ms": (self.found[1] - self.found[0]) // 10**6, "from": kst(self.found[0]), "to": kst(self.found[1])}


def silences(made):
    """Of each key and of all: from what is expected to what comes, by the events one after another."""
    keys, expected, owner = collections.defaultdict(Longest), {}, {}
    everything, since, up = Longest(), None, set()
    for what, now, *more in made.events:
        if what == "frame":
            label, key, records, _ = more
            if since is not None:
                everything.pause(since, now)
            since = now
            if records:
                if key in expected:
                    keys[key].pause(expected[key], now)
                expected[key], owner[key] = now, label
        elif what == "answer":
            label, key, code = more
            if code == "OPSP0000":
                owner[key] = label
                expected.setdefault(key, now)
            elif code == "OPSP0001" and (key, "slot") in made.slots_at(now):
                keys[key].pause(expected.pop(key), now) if key in expected else None
        elif what == "down":
            up.discard(more[0])
            for key in [k for k in expected if owner[k] == more[0]]:
                keys[key].pause(expected.pop(key), now)
            if not up and since is not None:
                everything.pause(since, now)
                since = None
        elif what == "up":
            up.add(more[0])
            since = now if since is None else since
    for key, begin in expected.items():
        keys[key].pause(begin, made.last_ns)
    if since is not None:
        everything.pause(since, made.last_ns)
    return keys, everything


def registrations(made):
    """(most at once, {time: slots held then}, confirmed, given back, refused)"""
    held, most, before, counts = {}, 0, {}, collections.Counter()
    for what, now, *more in made.events:
        before[now] = {(key, "slot") for key in held}
        if what == "answer":
            label, key, code = more
            counts[code] += 1
            if code == "OPSP0000":
                held[key] = label if key not in held else held[key]
            elif code == "OPSP0001":
                held.pop(key, None)
            most = max(most, len(held))
        elif what == "frame" and more[2] and more[1] in held:
            held[more[1]] = more[0]                  # whose link brings it
        elif what == "down":
            held = {key: label for key, label in held.items() if label != more[0]}
    return most, before, counts


NIGHTS = {}


def night(seed):
    """(made, its report as JSON, the folder)"""
    if seed not in NIGHTS:
        folder = tempfile.TemporaryDirectory(prefix="nightbook-report-")
        made = Made(folder.name, seed)
        most, before, counts = registrations(made)
        made.slots_at, made.most, made.counts = before.__getitem__, most, counts
        NIGHTS[seed] = made, json.loads(report(made.folder, "--json", "--dir", folder.name)), folder
    return NIGHTS[seed]


SEEDS = range(1, 41 if nb.LONG else 7)


def test_totals_and_rate():
    for seed in SEEDS:
        made, found, _ = night(seed)
        frames = [event for event in made.events if event[0] == "frame"]
        totals = found["totals"]
        assert totals["frames"] == len(frames) and totals["frame_bytes"] == sum(e[5] for e in frames), seed
        assert totals["records"] == sum(len(e[4]) for e in frames) and totals["frames_unreadable"] == sum(not e[4] for e in frames)
        assert totals["records_of_unknown_trs"] == sum(len(e[4]) for e in frames if e[3][0] == "H0XXXXX0")
        assert found["banner"] == "LIVE" and found["trade_date"] == "2026-11-23", found["trade_date"]
        assert found["first"] == kst(made.events[0][1]) and found["last"] == kst(made.last_ns)
        minutes = collections.Counter(e[1] // MINUTE for e in frames)
        first = datetime.datetime.fromisoformat(found["rate"]["from"]).timestamp() // 60
        told = {first + i: n for i, n in enumerate(found["rate"]["minute_frames"]) if n}
        assert told == dict(minutes), seed
        seconds = collections.Counter(e[1] // NS for e in frames)
        assert found["rate"]["busiest_second"]["frames"] == max(seconds.values())
        assert found["rate"]["busiest_minute"]["frames"] == max(minutes.values())
        assert sum(found["rate"]["minute_records"]) == totals["records"]


def test_keys():
    for seed in SEEDS:
        made, found, _ = night(seed)
        told = {(key["tr_id"], key["tr_key"]): key for key in found["keys"]}
        quiet, everything = silences(made)
        records = collections.defaultdict(list)
        for what, now, *more in made.events:
            if what == "frame":
                for record in more[2]:
                    records[more[1]].append((now, record.split("^")))
        assert set(told) == set(records) | {e[3] for e in made.events if e[0] == "answer"}, seed
        for key, row in told.items():
            mine = records[key]
            times = [now for now, _ in mine]
            assert row["records"] == len(mine)
            assert (row["first"], row["last"]) == ((kst(min(times)), kst(max(times))) if mine else (None, None))
            minutes = {now // MINUTE for now in times if OPEN <= now < CLOSING}
            assert row["minutes"] == len(minutes) and abs(row["share"] - len(minutes) / 710) < 1e-4, (seed, key)
            assert row["longest_silence"] == quiet[key].as_json(), (seed, key, row["longest_silence"], quiet[key].as_json())
            spreads = [(round((float(f[2]) - float(f[7])) * 100), -i, now) for i, (now, f) in enumerate(mine)
                       if key[0] != "H0XXXXX0" and f[22] != "0" and f[27] != "0" and OPEN <= now < CLOSING
                       and float(f[2]) >= float(f[7])]
            wanted = max(spreads, default=None)
            assert (row["widest_spread"] is None) == (wanted is None), (seed, key)
            if wanted:
                assert round(row["widest_spread"]["points"] * 100) == wanted[0] and row["widest_spread"]["at"] == kst(wanted[2])
            crossed = sum(float(f[2]) < float(f[7]) for _, f in mine if key[0] != "H0XXXXX0" and f[22] != "0" and f[27] != "0")
            assert row["flags"]["crossed"] == crossed
            tens = collections.Counter(m // 10 for m in {now // MINUTE for now in times})
            first = int(datetime.datetime.fromisoformat(found["rate"]["from"]).timestamp() // 600)
            assert {first + i: int(c, 16) for i, c in enumerate(row["strip"]) if c != "0"} == dict(tens), (seed, key)
        assert [key["records"] for key in found["keys"]] == sorted((len(records[k]) for k in told), reverse=True)
        assert found["longest_silence"] == everything.as_json(), (seed, found["longest_silence"], everything.as_json())


def test_links_and_gaps():
    for seed in SEEDS:
        made, found, _ = night(seed)
        gaps, open_gaps, causes = [], {}, collections.Counter()
        for what, now, *more in made.events:
            if what == "down":
                open_gaps[more[0]] = len(gaps)
                gaps.append({"is_rest": more[2], "feed": more[0], "from": kst(now), "to": None, "ms": (made.last_ns - now) // 10**6,
                             "reason": more[1]})
                causes[more[1]] += not more[2]
            elif what == "up" and more[0] in open_gaps:
                gap = gaps[open_gaps.pop(more[0])]
                begin = next(e[1] for e in reversed(made.events) if e[0] == "down" and e[2] == more[0] and e[1] <= now)
                gap["to"], gap["ms"] = kst(now), (now - begin) // 10**6
        assert found["gaps"] == gaps, seed
        assert {c["reason"]: c["count"] for c in found["drop_causes"]} == {r: n for r, n in causes.items() if n}
        for feed in found["feeds"]:
            assert feed["connects"] == sum(e[0] == "up" and e[2] == feed["label"] for e in made.events)
            assert feed["drops"] == sum(g["feed"] == feed["label"] and not g["is_rest"] for g in gaps)


def test_slots_and_marks():
    for seed in SEEDS:
        made, found, _ = night(seed)
        slots = found["slots"]
        assert slots["most_at_once"] == made.most, (seed, slots["most_at_once"], made.most)
        assert (slots["confirmed"], slots["given_back"], slots["refused"]) == tuple(
            made.counts[code] for code in ("OPSP0000", "OPSP0001", "OPSP0008"))
        refused = collections.Counter(e[3] for e in made.events if e[0] == "answer" and e[4] == "OPSP0008")
        assert {(r["tr_id"], r["tr_key"]): r["count"] for r in slots["refusals"]} == dict(refused)
        count = collections.Counter(e[0] for e in made.events)
        assert [(d["tr_id"], d["fields"], d["count"]) for d in found["drift"]] == ([("H0EUASP0", 40, count["drift"])] if count["drift"] else [])
        recorder = found["recorder"]
        assert len(recorder["clock_steps"]) == min(64, count["clock"]) and len(recorder["holes"]) == min(64, count["disk"])
        assert all(hole["lost_lines"] == 7 for hole in recorder["holes"]) and recorder["damages"] == []
        assert found["disk"]["bytes"] == os.path.getsize(made.path) and found["disk"]["segments"] == 1


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)
        self.text = " ".join(self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_by_itself_and_text_stays_text():
    made, found, _ = night(1)
    text = report(made.folder, "--html", "--dir", made.journal)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags), set(page.tags)
    assert "<b>cut</b>" not in text and "<b>cut</b> & \"gone\"" in page.text, "the reason is text"
    assert not [a for a in page.attributes if a[1] in ("src", "href", "onload", "onclick", "style")], "nothing is fetched or run"
    assert "url(" not in text and "@import" not in text and "default-src 'none'" in text
    assert "prefers-color-scheme:dark" in text and page.tags.count("svg") == 2
    assert f"{found['totals']['frames']:,}" in page.text and "SIMULATED" not in page.text
    for gap in found["gaps"]:
        assert gap["reason"] in page.text


def test_words_say_the_same():
    made, found, _ = night(2)
    words = report(made.folder, "--dir", made.journal)
    assert "The night of trade date 2026-11-23, LIVE\n" in words
    assert f"{found['totals']['frames']} frames, {found['totals']['records']} records of {len(found['keys'])} keys" in words
    assert "<b>cut</b> & \"gone\"" in words and "NOT RECORDING" in words and "not known: only the evidence" in words
    assert "1. How many fields has a record?" in words and "counted over the recording" in words
    assert "\x1b" not in words


def test_evidence_beside_it_is_used():
    made, _, _ = night(3)
    with tempfile.TemporaryDirectory(prefix="nightbook-state-") as state:
        latency = {"frames": 1000, "p50_ns": 21000, "p99_ns": 95000, "p999_ns": 1250000, "max_ns": 9000000}
        for name, banner, number in (("evidence-20261123.json", "LIVE", 5), ("evidence-20261123.2.json", "SIMULATED", 6),
                                     ("evidence-20261122.json", "LIVE", 7)):
            with open(os.path.join(state, name), "w", encoding="utf-8") as file:
                json.dump({"nightbook_evidence": 1, "banner": banner, "trade_date": "2026-11-23", "latency": latency,
                           "approvals": {"given": number}}, file)
        found = json.loads(report(made.folder, "--json", "--dir", state))
        assert found["latency"] == [latency] and found["evidence_from"] == "server", found["latency"]
        assert [e["approvals"]["given"] for e in found["evidence"]] == [5]
        words = report(made.folder, "--dir", state)
        assert "p50 21.0 us, p99 95.0 us, p99.9 1.25 ms, at most 9.00 ms, over 1000 frames" in words, words
        assert "approval keys given: 5" in words
        with open(os.path.join(state, "evidence-20261123.json"), "w", encoding="utf-8") as file:
            file.write("{")                          # cut: the recording answers
        assert json.loads(report(made.folder, "--json", "--dir", state))["evidence_from"] == "recording"


def test_dates_and_places():
    made, _, folder = night(4)
    by_path = report(made.path, "--json", "--dir", made.journal)
    assert json.loads(by_path)["totals"] == json.loads(report(made.journal, "--json", "--dir", made.journal))["totals"]
    for what in (["2026-11-23"], ["20261123"], []):
        assert report(*what, "--json", "--journal", made.journal, "--dir", made.journal) == report(made.folder, "--json", "--dir", made.journal)
    report("2026-11-24", "--journal", made.journal, "--dir", made.journal, expect=64)
    report("--journal", folder.name + "/none", "--dir", made.journal, expect=64)
    report(made.folder, "--json", "--html", expect=64)
    there = ["--json", "--journal", made.journal, "--dir", made.journal]
    assert report("last", *there) == report("20261123-000001", *there)
    with tempfile.TemporaryDirectory(prefix="nightbook-home-") as home:
        environment = {**os.environ, "HOME": home}
        os.makedirs(home + "/.config/nightbook")
        with open(home + "/.config/nightbook/config.yaml", "w", encoding="utf-8") as file:
            file.write(f"journal: {made.journal}\nstate_dir: {home}\n")
        os.chmod(home + "/.config/nightbook/config.yaml", 0o600)
        assert report("--json", env=environment) == report(made.folder, "--json", "--dir", home)
    with tempfile.TemporaryDirectory() as empty:
        report(empty, expect=64)


def test_damage_is_told():
    with tempfile.TemporaryDirectory(prefix="nightbook-report-") as journal:
        path = nightmaker.make(journal, frames=300)
        with open(path, "r+b") as file:
            file.seek(5000)
            file.write(b"\x00<i>\n\xff")
        found = json.loads(report(journal, "--json", "--dir", journal))
        assert found["recorder"]["damages"] and "DAMAGED" in report(journal, "--dir", journal)
        assert "<i>" not in report(journal, "--html", "--dir", journal)


def test_a_run_that_was_killed_is_a_gap():
    with tempfile.TemporaryDirectory(prefix="nightbook-report-") as journal:
        first = nightmaker.Night(journal)
        first.connect(1)
        at = first.frame(1, f"0|H0EUASP0|001|{nightmaker.Market(1).record('B01612745', '180000')}", 60 * NS)
        first.sum()
        with open(first.path, "wb") as file:
            file.write(first.out)                    # no stop mark
        second = nightmaker.Night(journal, number=2, run="fedcba9876543210", begin_ns=at + 300 * NS)
        second.connect(1, f"live; session={kst(at + 300 * NS)}; speed=1")
        second.frame(1, f"0|H0EUASP0|001|{nightmaker.Market(1).record('B01612745', '180600')}", NS)
        second.write()
        found = json.loads(report(journal, "--json", "--dir", journal))
        assert found["recorder"]["runs"] == 2 and len(found["gaps"]) == 1, found["gaps"]
        assert found["gaps"][0]["ms"] == 300000 and found["gaps"][0]["reason"] == "nightbook ended without a word"


def serve_a_night(at, speed):
    with tempfile.TemporaryDirectory(prefix="nightbook-serve-report-") as folder:
        journal, told = os.path.join(folder, "journal"), os.path.join(folder, "told")
        with nb.Server("serve", "--at", at, "--speed", speed, "--rate", "100", "--journal", journal, "--window", "nearest:20",
                       "--notify", f"cat >> {told}") as server:
            nb.wait_for("the report", lambda: glob.glob(journal + "/*/report.html") and os.path.exists(told)
                        and "report" in open(told, encoding="utf-8").read(), 40)
            status = server.json("/v1/status")
            assert status, "it still serves"
        nights = sorted({os.path.dirname(path) for path in glob.glob(journal + "/*/report.*")})
        assert sorted(os.listdir(nights[0]))[-3:] == ["report.html", "report.json", "report.txt"], os.listdir(nights[0])
        with open(os.path.join(nights[0], "report.json"), encoding="utf-8") as file:
            found = json.load(file)
        assert found["banner"] == "SIMULATED" and found["totals"]["frames"] > 0 and found["recorder"]["damages"] == []
        assert found["session"]["end"] <= found["last"] or found["last"] >= found["session"]["closing"], found["last"]
        lines = [json.loads(line) for line in open(told, encoding="utf-8")]
        notice = next(line for line in lines if line["event"] == "report")
        assert notice["detail"] == os.path.join(nights[0], "report.html"), notice
        again = json.loads(report(nights[0], "--json", "--dir", folder))
        assert again["totals"]["records"] >= found["totals"]["records"]
        for name in ("report.html", "report.json", "report.txt"):
            assert os.stat(os.path.join(nights[0], name)).st_mode & 0o777 == 0o600


def test_serve_writes_it_at_the_end_of_a_night():
    serve_a_night("05:10", "1200")


def test_serve_writes_it_when_the_next_night_begins_at_once():
    serve_a_night("05:59", "60")


if __name__ == "__main__":
    nb.run_tests(globals())
