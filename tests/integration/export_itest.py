#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nightbook export: every format is read back by a reader that shares nothing with the writer, and compared number by number;
nothing is overwritten, no part of an output is ever left, and what is damaged is told."""
import csv
import decimal
import glob
import io
import json
import os
import pty
import resource
import select
import signal
import subprocess
import tempfile
import time

import numpy

import dbn_reader
import nb
import nightmaker

EVENTS = [("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8"), ("order_id", "<u8"),
          ("ival", "<i8"), ("fval", "<f8")]
EXCH, LOCAL, BUY, SELL, KIND = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 0xFF
DEPTH, CLEAR, SNAPSHOT = 1, 3, 4
FNV = 2166136261, 16777619


def export(*args, expect=0, **how):
    done = subprocess.run([nb.PROGRAM, "export", *map(str, args)], capture_output=True, timeout=60, **how)
    assert done.returncode == expect, (args, done.returncode, done.stderr.decode())
    return done


def lines(path):
    """As people read them; numbers exact."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line, parse_float=decimal.Decimal) for line in file]


def left_in(folder):
    return sorted(os.listdir(folder))


class Recording:
    """A journal in a folder of its own, and its records as jsonl tells them, made once."""

    def __init__(self, **how):
        self.folder = tempfile.TemporaryDirectory(prefix="nightbook-export-")
        self.path = os.path.join(self.folder.name, "journal")
        self.out = os.path.join(self.folder.name, "out")
        os.makedirs(self.path)
        os.makedirs(self.out)
        self.segment = nightmaker.make(self.path, **how)
        self.done = export(self.path, "--to", "jsonl", "-o", self.to("all.jsonl"), expect=65)
        self.records = lines(self.to("all.jsonl"))
        self.books = [r for r in self.records if r["tr_id"] in ("H0EUASP0", "H0MFASP0")]

    def to(self, name):
        return os.path.join(self.out, name)

    def frames(self):
        """(recv_ns, link, message) of the segment, by docs/journal.md."""
        for line in open(self.segment, "rb").read().splitlines():
            recv_ns, link, kind, payload = line.split(b" ", 3)
            if kind == b"frame":
                yield int(recv_ns), int(link), payload.decode("unicode_escape") if b"\\x" in payload else payload.decode()


NIGHT = Recording()


def level(record, side, i, futures=("H0MFASP0",)):
    """(price, quantity, count) of a record in KIS's names"""
    who = "futs" if record["tr_id"] in futures else "optn"
    return record[f"{who}_{side}p{i}"], record[f"{side}p_rsqn{i}"], record[f"{side}p_csnu{i}"]


def e9(price):
    return dbn_reader.UNDEF_PRICE if price is None else int(price * 10**9)


# ---- the record form ----

def test_the_maker_made_what_is_difficult():
    flags = {flag for r in NIGHT.records for flag in r["flags"]}
    assert {"drift", "far_time", "crossed", "unknown_tr", "off_tick", "change", "backward"} <= flags, flags
    assert any("extra" in r for r in NIGHT.records) and any(r["event_ns"] is None for r in NIGHT.books)
    assert any(r["bsop_hour"] is None for r in NIGHT.books)
    changes = [r["total_askp_rsqn_icdc"] for r in NIGHT.books]
    assert min(changes) < 0 < max(changes)
    assert any(level(r, "bid", 1)[0] is None for r in NIGHT.books) and {r["trade_date"] for r in NIGHT.books} >= {"2026-11-23"}


def test_jsonl_is_what_was_recorded():
    """Against the frames themselves, split by this script."""
    expected = []
    for recv_ns, _, message in NIGHT.frames():
        _, tr, count, payload = message.split("|", 3)
        fields = payload.split("^")
        if fields[-1] == "" and (len(fields) - 1) % int(count) == 0 and len(fields) > 38:
            fields.pop()
        stride = len(fields) // int(count)
        if tr != "H0XXXXX0" and stride < 38:
            continue                                 # cannot be read
        for i in range(int(count)):
            expected.append((recv_ns, tr, fields[i * stride:(i + 1) * stride]))
    assert len(expected) == len(NIGHT.records)
    for (recv_ns, tr, fields), got in zip(expected, NIGHT.records):
        assert (got["recv_ns"], got["tr_id"], got["tr_key"]) == (recv_ns, tr, fields[0])
        if tr == "H0XXXXX0":
            assert got["fields"] == fields and got["flags"] == ["unknown_tr"]
            continue
        names = list(got)[6:44]
        for name, text in zip(names, fields):
            quantity = fields[names.index(name) + 20] if name[4:8] in ("_ask", "_bid") else None
            if text == "" or ("_csnu" in name and text == "0") or (quantity in ("0", "") and decimal.Decimal(text) == 0):
                assert got[name] is None, (name, text, got[name])
            elif name.endswith(("_hour", "_iscd")):
                assert got[name] == text
            else:
                assert got[name] == decimal.Decimal(text), (name, text, got[name])
        assert got.get("extra", []) == fields[38:] and ("drift" in got["flags"]) == (len(fields) > 38)


def test_jsonl_is_the_form_of_decode():
    """Byte for byte but for the flags: decode sees no book."""
    raw = "".join(f"{recv_ns} {message}\n" for recv_ns, _, message in NIGHT.frames())
    done = subprocess.run([nb.PROGRAM, "decode"], input=raw, capture_output=True, text=True, timeout=60)
    decoded, ours = done.stdout.splitlines(), open(NIGHT.to("all.jsonl"), encoding="utf-8").read().splitlines()
    assert len(decoded) == len(ours)
    for theirs, mine in zip(decoded, ours):
        before, _, rest = mine.partition('"flags":[')
        flags, _, after = rest.partition("]")
        shown = [f for f in flags.split(",") if f in ('"drift"', '"far_time"', '"unknown_tr"')]
        assert theirs == f'{before}"flags":[{",".join(shown)}]{after}'


def test_flags_are_those_of_the_book():
    """crossed, locked, change and backward, found by this script; over the gap `change` says nothing."""
    seen, gaps = {}, [r for r in open(NIGHT.segment, "rb").read().splitlines() if b" gap " in r]
    gap_ns = int(gaps[0].split()[0])
    checked = 0
    for r in NIGHT.books:
        ask, bid = level(r, "ask", 1)[0], level(r, "bid", 1)[0]
        expected = set()
        if ask is not None and bid is not None:
            expected |= {"crossed"} if bid > ask else {"locked"} if bid == ask else set()
        before = seen.get((r["tr_id"], r["tr_key"]))
        if before is not None:
            over_gap = r["tr_id"] == "H0EUASP0" and before["recv_ns"] <= gap_ns < r["recv_ns"]
            for side in ("ask", "bid"):
                if not over_gap and r[f"total_{side}p_rsqn"] - before[f"total_{side}p_rsqn"] != r[f"total_{side}p_rsqn_icdc"]:
                    expected.add("change")
            if None not in (before["event_ns"], r["event_ns"]) and r["event_ns"] < before["event_ns"]:
                expected.add("backward")
        got = set(r["flags"]) & {"crossed", "locked", "change", "backward"}
        assert got == expected, (r, expected)
        checked += len(expected)
        seen[r["tr_id"], r["tr_key"]] = r
    assert checked > 20


def test_csv_is_jsonl():
    export(NIGHT.path, "--to", "csv", "-o", NIGHT.to("all.csv"), expect=65)
    rows, names = [], None
    with open(NIGHT.to("all.csv"), newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            if row[0] == "tr_id":
                names = row
            else:
                assert len(row) == len(names)
                rows.append(dict(zip(names, row)))
    assert len(rows) == len(NIGHT.records)
    for row, r in zip(rows, NIGHT.records):
        assert row["flags"].split() == r["flags"]
        for name, value in r.items():
            if name in ("flags", "extra", "fields"):
                continue
            text = row[name]
            assert (value is None and text == "") or (isinstance(value, str) and text == value) or decimal.Decimal(text) == value
        assert row.get("extra", "") == "^".join(r.get("extra", [])) and row.get("fields", "") == "^".join(r.get("fields", []))


def test_zst_holds_the_same():
    for name in ("jsonl", "csv", "dbn"):
        plain, packed = NIGHT.to(f"z.{name}"), NIGHT.to(f"z.{name}.zst")
        export(NIGHT.path, "-o", plain, expect=65)
        export(NIGHT.path, "-o", packed, expect=65)
        unpacked = subprocess.run(["zstdcat", packed], capture_output=True, check=True, timeout=60).stdout
        assert unpacked == open(plain, "rb").read()
        about = subprocess.run(["zstd", "-lv", packed], capture_output=True, text=True, check=True, timeout=60).stdout
        assert "XXH64" in about, about               # a checksum, as databento's own files have
        assert "Number of frames: 1\n" in about.replace("# Zstandard Frames: 1", "Number of frames: 1"), about


# ---- dbn ----

def fnv1a(code):
    value = FNV[0]
    for byte in code.encode():
        value = (value ^ byte) * FNV[1] & 0xFFFFFFFF
    return value


def check_dbn(metadata, got, books):
    assert metadata["dataset"] == "XKRX.NIGHT" and metadata["schema"] == 2 and metadata["limit"] == 0
    assert metadata["symbol_cstr_len"] == 71 and not metadata["ts_out"] and not metadata["partial"] + metadata["not_found"]
    codes = list(dict.fromkeys(r["tr_key"] for r in books))
    assert metadata["symbols"] == codes == [raw for raw, _ in metadata["mappings"]]
    assert metadata["start"] == min(r["recv_ns"] for r in books) and metadata["end"] == max(r["recv_ns"] for r in books) + 1
    assert len(got) == len(books)
    for d, r in zip(got, books):
        assert d["code"] == r["tr_key"] and d["instrument_id"] == fnv1a(r["tr_key"])
        assert d["ts_recv"] == r["recv_ns"]
        assert d["ts_event"] == (dbn_reader.UNDEF_TIMESTAMP if r["event_ns"] is None else r["event_ns"])
        delta = 0 if r["event_ns"] is None else r["recv_ns"] - r["event_ns"]
        assert d["ts_in_delta"] == max(-2**31, min(2**31 - 1, delta))
        assert (d["publisher_id"], d["action"], d["side"], d["depth"]) == (0, b"M", b"N", 0)
        assert (d["price"], d["size"]) == (dbn_reader.UNDEF_PRICE, dbn_reader.UNDEF_ORDER_SIZE)
        assert d["flags"] == 128 + 16 + (8 if "far_time" in r["flags"] else 0) + (4 if "change" in r["flags"] else 0)
        for side in ("bid", "ask"):
            for i in range(10):
                if i >= 5:
                    assert d[side][i] == (dbn_reader.UNDEF_PRICE, 0, 0)
                    continue
                price, quantity, count = level(r, side, i + 1)
                missing = 0 if price is None else dbn_reader.UNDEF_ORDER_SIZE
                assert d[side][i] == (e9(price), missing if quantity is None else quantity, count or 0), (d, r)


def test_dbn_is_jsonl():
    export(NIGHT.path, "--to", "dbn", "-o", NIGHT.to("all.dbn"), expect=65)
    metadata, got = dbn_reader.read(NIGHT.to("all.dbn"))
    check_dbn(metadata, got, NIGHT.books)
    # the frame's number, over all of them, in 32 bits
    numbers, number = [], 0
    for _, _, message in NIGHT.frames():
        number += 1
        _, tr, count, payload = message.split("|", 3)
        if tr != "H0XXXXX0" and payload.count("^") > 30:
            numbers += [number] * int(count)
    assert [d["sequence"] for d in got] == numbers
    assert any(b > a for a, b in zip(sorted({r["recv_ns"] // (86400 * 10**9) for r in NIGHT.books}),
                                     sorted({r["recv_ns"] // (86400 * 10**9) for r in NIGHT.books})[1:])) or len(got) > 100


def test_dbn_of_two_days_and_of_one_code():
    """ts_recv on two UTC dates: each has a mapping (the reader asserts it). Chosen codes only are named."""
    with tempfile.TemporaryDirectory() as folder:
        long = nightmaker.Night(folder, begin_ns=nightmaker.EVENING_NS + 14 * 3600 * 10**9)     # 08:00 KST, 23:00 UTC
        market = nightmaker.Market(5)
        long.connect(1)
        for i in range(40):
            long.frame(1, "0|H0EUASP0|001|" + market.record(f"B0161274{i % 4}", nightmaker.hhmmss(long.now_ns)), 300 * 10**9)
        long.write()
        export(folder, "-o", f"{folder}/x.jsonl")
        export(folder, "-o", f"{folder}/x.dbn")
        books = lines(f"{folder}/x.jsonl")
        assert len({r["recv_ns"] // (86400 * 10**9) for r in books}) == 2
        check_dbn(*dbn_reader.read(f"{folder}/x.dbn"), books)
        export(folder, "-o", f"{folder}/one.dbn", "--codes", "B01612742,B01612741")
        check_dbn(*dbn_reader.read(f"{folder}/one.dbn"), [r for r in books if r["tr_key"] in ("B01612742", "B01612741")])


# ---- npz ----

def check_npz(archive, books):
    """Play each code's events: after a record's own ones, the book is that record's, and on the way from one that was not
    crossed to one that is not it never was."""
    def is_crossed(book):
        return bool(book[BUY]) and bool(book[SELL]) and max(book[BUY]) >= min(book[SELL])

    for code in dict.fromkeys(r["tr_key"] for r in books):
        events = archive[code if code in archive else "data"]
        assert events.dtype == numpy.dtype(EVENTS) and events.dtype.itemsize == 64 and events.ndim == 1
        assert not events["order_id"].any() and not events["fval"].any()
        at, book = 0, {BUY: {}, SELL: {}}
        own = [r for r in books if r["tr_key"] == code]
        for number, r in enumerate(own):
            wanted = {side: {float(p): (q, c or 0) for p, q, c in (level(r, name, i) for i in range(1, 6)) if p is not None and q}
                      for side, name in ((BUY, "bid"), (SELL, "ask"))}
            stamp = (0 if r["event_ns"] is None else r["event_ns"], r["recv_ns"])
            bits = LOCAL if r["event_ns"] is None else LOCAL | EXCH
            may_cross = is_crossed(book) or is_crossed(wanted)
            # the events of one record are those with its times; take while the book is not yet its
            while book != wanted or (number == 0 and at == 0):
                assert at < len(events), (code, number, wanted, book)
                e = events[at]
                at += 1
                assert (int(e["exch_ts"]), int(e["local_ts"])) == stamp and int(e["ev"]) & (LOCAL | EXCH) == bits, (code, number)
                kind, side = int(e["ev"]) & KIND, int(e["ev"]) & (BUY | SELL)
                if kind == CLEAR:
                    assert side == 0
                    book = {BUY: {}, SELL: {}}
                    if not any(wanted.values()):
                        break
                elif e["qty"] == 0:
                    assert kind == DEPTH
                    del book[side][float(e["px"])]   # KeyError: it was not there
                else:
                    assert kind in (DEPTH, SNAPSHOT)
                    book[side][float(e["px"])] = (int(e["qty"]), int(e["ival"]))
                assert may_cross or not is_crossed(book), (code, number)
        assert at == len(events), (code, at, len(events))


def test_npz_is_jsonl():
    export(NIGHT.path, "--to", "npz", "-o", NIGHT.to("all.npz"), expect=65)
    with numpy.load(NIGHT.to("all.npz"), allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted({r["tr_key"] for r in NIGHT.books})
        check_npz(archive, NIGHT.books)
        clears = sum(int((a["ev"] & KIND == CLEAR).sum()) for a in archive.values())
        assert clears >= len(archive.files) + 3      # at the beginning, and after the gap of link 1
    code = NIGHT.books[0]["tr_key"]
    export(NIGHT.path, "-o", NIGHT.to("one.npz"), "--codes", code, expect=65)
    with numpy.load(NIGHT.to("one.npz"), allow_pickle=False) as archive:
        assert archive.files == ["data"]             # where hftbacktest looks
        check_npz(archive, [r for r in NIGHT.books if r["tr_key"] == code])
    raw = subprocess.run(["/usr/bin/python3", "-m", "zipfile", "-l", NIGHT.to("one.npz")], capture_output=True, text=True,
                         check=True, timeout=60).stdout
    assert "data.npy" in raw
    import zipfile
    head = zipfile.ZipFile(NIGHT.to("one.npz")).open("data.npy").read(256)
    assert head[:8] == b"\x93NUMPY\x01\x00" and (10 + int.from_bytes(head[8:10], "little")) % 64 == 0   # hftbacktest's reader asks it


# ---- what is chosen ----

def test_codes_trs_and_times_choose():
    code = NIGHT.books[0]["tr_key"]
    done = export(NIGHT.path, "-o", NIGHT.to("c.jsonl"), "--codes", f"{code}, B99999999", expect=65)
    assert lines(NIGHT.to("c.jsonl")) == [r for r in NIGHT.records if r["tr_key"] == code]
    assert b"B99999999: no record" in done.stderr
    export(NIGHT.path, "-o", NIGHT.to("t.jsonl"), "--tr", "H0MFASP0,H0XXXXX0")
    assert lines(NIGHT.to("t.jsonl")) == [r for r in NIGHT.records if r["tr_id"] != "H0EUASP0"]

    def numbers(records):
        return [{k: v for k, v in r.items() if k != "flags"} for r in records]

    def within(begin, end):
        return [r for r in NIGHT.records if begin <= r["recv_ns"] < end]

    hour = 3600 * 10**9
    for begin, end, args in ((4 * hour, 5 * hour, ["--from", "22:00", "--until", "23:00"]),
                             (4 * hour, 5 * hour, ["--from", "22:00", "--to", "23:00", "--to", "jsonl"]),
                             (0, 7 * hour, ["--to", "01:00"]),
                             (6 * hour, 99 * hour, ["--from", "2026-11-21T00:00:00.000"])):
        done = subprocess.run([nb.PROGRAM, "export", NIGHT.path, "-o", NIGHT.to("w.jsonl"), "--force", *args], capture_output=True,
                              timeout=60)
        assert done.returncode == (65 if b"cannot be read" in done.stderr else 0), done.stderr
        assert numbers(lines(NIGHT.to("w.jsonl"))) == numbers(within(nightmaker.EVENING_NS + begin, nightmaker.EVENING_NS + end))


def test_a_night_is_found_by_its_name():
    for number, name in enumerate(("last", "2026-11-23", "20261123", "20261123-000001")):
        export(name, "--dir", NIGHT.path, "-o", NIGHT.to(f"n{number}.jsonl"), expect=65)
        assert open(NIGHT.to(f"n{number}.jsonl"), "rb").read() == open(NIGHT.to("all.jsonl"), "rb").read()
    home = {**os.environ, "XDG_DATA_HOME": NIGHT.folder.name}
    os.makedirs(os.path.join(NIGHT.folder.name, "nightbook"))
    os.symlink(NIGHT.path, os.path.join(NIGHT.folder.name, "nightbook", "journal"))
    export("last", "-o", NIGHT.to("home.jsonl"), expect=65, env=home)
    assert b"2026-11-24" in export("2026-11-24", "--dir", NIGHT.path, "-o", NIGHT.to("no.csv"), expect=64).stderr


def test_nothing_to_export_makes_no_file():
    for to in ("jsonl", "dbn", "npz"):
        done = export(NIGHT.path, "--to", to, "-o", NIGHT.to("none"), "--codes", "B99999999", expect=64)
        assert b"nothing to export" in done.stderr and not glob.glob(NIGHT.to("none*"))


def test_a_feed_with_a_clock_of_its_own():
    """A simulated night recorded at another time: exchange times are those of its session, recv_ns stays ours; dbn and npz,
    which reckon with the difference, have the receive time by the session's clock."""
    with tempfile.TemporaryDirectory() as folder:
        real = nightmaker.EVENING_NS + 12 * 86400 * 10**9
        night = nightmaker.Night(folder, feed="sim", begin_ns=real)
        night.connect(1, clock="sim; session=2026-11-20T20:00:00.000+09:00; speed=10")
        market = nightmaker.Market(3)
        for i in range(20):
            session = nightmaker.EVENING_NS + 2 * 3600 * 10**9 + 10 * (i + 1) * 10**9
            night.frame(1, "0|H0EUASP0|001|" + market.record("B01612745", nightmaker.hhmmss(session)), 10**9)
        night.write()
        for name in ("x.jsonl", "x.dbn", "x.npz"):
            export(folder, "-o", f"{folder}/{name}")
        got = lines(f"{folder}/x.jsonl")
        assert [r["recv_ns"] for r in got] == [real + (i + 1) * 10**9 for i in range(20)]
        sessions = [nightmaker.EVENING_NS + 2 * 3600 * 10**9 + 10 * (i + 1) * 10**9 for i in range(20)]
        assert [r["event_ns"] for r in got] == sessions and {r["trade_date"] for r in got} == {"2026-11-23"}
        _, dbn = dbn_reader.read(f"{folder}/x.dbn")
        assert [d["ts_recv"] for d in dbn] == [d["ts_event"] for d in dbn] == sessions
        with numpy.load(f"{folder}/x.npz") as archive:
            assert sorted(set(archive["data"]["local_ts"].tolist())) == sessions


# ---- OUT ----

def test_nothing_is_overwritten():
    out = NIGHT.to("kept.csv")
    with open(out, "w", encoding="utf-8") as file:
        file.write("mine")
    for to in ("csv", "jsonl", "dbn", "npz"):
        done = export(NIGHT.path, "--to", to, "-o", out, expect=64)
        assert b"--force" in done.stderr and open(out, encoding="utf-8").read() == "mine"
    export(NIGHT.path, "--to", "csv", "-o", out, "--force", expect=65)
    assert open(out, encoding="utf-8").read().startswith("tr_id,")


def test_where_out_may_not_be():
    before = left_in(NIGHT.out)
    name = os.path.basename(NIGHT.segment)
    os.makedirs(NIGHT.to("folder"))
    os.mkfifo(NIGHT.to("fifo"))
    for out, words in ((NIGHT.to("no/such/x.csv"), b"no directory"), (NIGHT.to("folder"), b"no file"), (NIGHT.to("fifo"), b"no file"),
                       ("/dev/null", b"no file"), (NIGHT.segment, b"recording"), (f"{NIGHT.out}/{name}.zst", b"recording"),
                       (NIGHT.to(""), b"name"), ("", b"name")):
        done = export(NIGHT.path, "--to", "csv", "-o", out, "--force", expect=64)
        assert words in done.stderr, (out, done.stderr)
    os.rmdir(NIGHT.to("folder"))
    os.remove(NIGHT.to("fifo"))
    assert left_in(NIGHT.out) == before and os.path.getsize(NIGHT.segment) > 1000


def test_usage():
    for args, words in (((), b"which recording"), ((NIGHT.path,), b"-o FILE"), ((NIGHT.path, "-o", "x"), b"--to FORMAT"),
                        ((NIGHT.path, "-o", "x", "--to", "cvs"), b"did you mean csv"), ((NIGHT.path, "-o", "x", "--to", "excel"), b"format"),
                        ((NIGHT.path, "-o", "-", "--to", "dbn"), b"file only"), ((NIGHT.path, "-o", "x.npz.zst"), b".zst"),
                        ((NIGHT.path, "-o", NIGHT.to("u.csv"), "--from", "25:99"), b"--from"),
                        ((NIGHT.path, "-o", NIGHT.to("u.csv"), "--from", "23:00", "--until", "22:00"), b"not after"),
                        ((NIGHT.path, "-o", NIGHT.to("u.csv"), "--codes", "A,,B"), b"no code"),
                        (("/no/such", "-o", NIGHT.to("u.csv")), b"/no/such")):
        assert words in export(*args, expect=64).stderr, args
    assert b"hftbacktest" in export("--help").stdout


def test_stdout():
    done = export(NIGHT.path, "--to", "jsonl", "-o", "-", expect=65)
    assert done.stdout == open(NIGHT.to("all.jsonl"), "rb").read()
    with open("/dev/full", "wb") as full:
        failed = subprocess.run([nb.PROGRAM, "export", NIGHT.path, "--to", "csv", "-o", "-"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert failed.returncode == 71 and b"No space" in failed.stderr
    head = subprocess.run(f"{nb.PROGRAM} export {NIGHT.path} --to csv -o - | head -1", shell=True, capture_output=True, timeout=60)
    assert head.stdout.startswith(b"tr_id,")


def test_a_disk_that_is_full_leaves_nothing():
    """A file may hold 20 KB: the write fails as on a full disk, and no part stays."""
    before = left_in(NIGHT.out)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    for to in ("csv", "jsonl", "dbn", "npz"):
        done = export(NIGHT.path, "--to", to, "-o", NIGHT.to("full"), expect=71, preexec_fn=limit)
        assert b"too large" in done.stderr, done.stderr
        assert left_in(NIGHT.out) == before, to


def test_a_small_tmpfs_that_is_full():
    """The same on a real disk of 64 KB, in a name space of its own; where there are none, the test above must do."""
    inside = f"mount -t tmpfs -o size=64k none {NIGHT.to('small')} && "
    os.makedirs(NIGHT.to("small"))
    try:
        if subprocess.run(["unshare", "-rm", "sh", "-c", inside + "true"], capture_output=True, timeout=20).returncode != 0:
            print("skipped: no tmpfs of our own", end=" ")
            return
        for to in ("csv", "jsonl", "dbn", "npz"):
            done = subprocess.run(["unshare", "-rm", "sh", "-c", inside + f'{nb.PROGRAM} export {NIGHT.path} --to {to} -o {NIGHT.to("small/x")}; '
                                   f'code=$?; ls -A {NIGHT.to("small")}; exit $code'], capture_output=True, timeout=60)
            assert done.returncode == 71 and b"No space left" in done.stderr and done.stdout == b"", (to, done)
    finally:
        os.rmdir(NIGHT.to("small"))


def big_recording(folder, frames):
    """Enough to be interrupted in."""
    night, market = nightmaker.Night(folder), nightmaker.Market(2)
    night.connect(1)
    texts = ["0|H0EUASP0|001|" + market.record(f"B01612{i:03}", "180030") for i in range(200)]
    for i in range(frames):
        night.frame(1, texts[i % 200], 10**6)
    night.write()


def interrupted(folder, to, out, how):
    """Export, send `how` once its temporary file is there. @return the process and its words; None: it was done before."""
    process = subprocess.Popen([nb.PROGRAM, "export", folder, "--to", to, "-o", out], stderr=subprocess.PIPE)
    end = time.monotonic() + 30
    while not glob.glob(out + ".*") and process.poll() is None and time.monotonic() < end:
        time.sleep(0.0005)
    process.send_signal(how)
    words = process.communicate(timeout=60)[1]
    return (process, words) if process.returncode != 0 else None


def test_killed_in_the_middle():
    with tempfile.TemporaryDirectory() as folder:
        big_recording(folder, 12000)
        for to, name, how in (("jsonl", "a.jsonl", signal.SIGINT), ("jsonl", "b.jsonl", signal.SIGKILL), ("csv", "c.csv", signal.SIGHUP),
                              ("dbn", "d.dbn.zst", signal.SIGTERM), ("npz", "e.npz", signal.SIGINT), ("npz", "f.npz", signal.SIGKILL)):
            out = os.path.join(folder, name)
            for _ in range(5):
                if found := interrupted(folder, to, out, how):
                    break
                os.remove(out)
            process, words = found
            assert not os.path.exists(out), (to, how)
            parts = glob.glob(out + "*")
            if how == signal.SIGKILL:
                assert process.returncode == -how and all(".part" in part for part in parts), (parts, words)
                for part in parts:
                    os.remove(part)
            else:
                assert process.returncode == 128 + how and b"interrupted" in words and parts == [], (process.returncode, words, parts)
        # and when it is left alone, it is all there
        export(folder, "-o", f"{folder}/whole.jsonl")
        assert sum(1 for _ in open(f"{folder}/whole.jsonl", encoding="utf-8")) == 12000


def test_damage_is_told_and_the_rest_exported():
    with tempfile.TemporaryDirectory() as folder:
        night, market = nightmaker.Night(folder), nightmaker.Market(4)
        night.connect(1)
        times = []
        for i in range(100):
            times.append(night.frame(1, "0|H0EUASP0|001|" + market.record("B01612745", nightmaker.hhmmss(night.now_ns)), 10**9))
            if i % 10 == 9:
                night.sum()
        path = night.write()
        raw = bytearray(open(path, "rb").read())
        at = raw.index(str(times[44]).encode()) + 60          # within the fifth span
        raw[at] ^= 1
        open(path, "wb").write(raw)
        for name in ("x.jsonl", "x.dbn"):
            done = export(folder, "-o", f"{folder}/{name}", expect=65)
            assert b"1 place of the recording is damaged; what could be read is exported" in done.stderr, done.stderr
            assert done.stderr.count(b"passed over") == 1, done.stderr
        kept = times[:40] + times[50:]
        assert [r["recv_ns"] for r in lines(f"{folder}/x.jsonl")] == kept
        assert [d["ts_recv"] for d in dbn_reader.read(f"{folder}/x.dbn")[1]] == kept


# ---- what a person sees ----

def test_a_terminal_sees_how_far_it_is_and_a_pipe_does_not():
    with tempfile.TemporaryDirectory() as folder:
        big_recording(folder, 9000)
        quiet = export(folder, "-o", f"{folder}/a.jsonl")
        assert quiet.stderr.count(b"\n") == 1 and b"\r" not in quiet.stderr and b"9000 records of 9000 frames" in quiet.stderr
        ours, theirs = pty.openpty()
        process = subprocess.Popen([nb.PROGRAM, "export", folder, "-o", f"{folder}/b.npz"], stderr=theirs)
        os.close(theirs)
        seen = b""
        while True:
            if not select.select([ours], [], [], 30)[0]:
                break
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        assert process.wait(30) == 0 and b"9000 records" in seen
        assert b"\r" in seen and b" % " in seen and b"M records" in seen, seen[-300:]


if __name__ == "__main__":
    nb.run_tests(globals())
