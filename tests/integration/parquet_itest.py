#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nightbook export --to parquet: read back by DuckDB and by npm hyparquet, value by value what jsonl says; the library found,
missing and wrong; nothing left of what did not end well, and nothing reached for at home."""
import datetime
import decimal
import json
import os
import re
import resource
import subprocess
import tempfile

import duckdb_reader
import nb
import nightmaker

if not os.path.exists(duckdb_reader.LIBRARY):
    raise SystemExit("run `npm ci` in tests/integration first: it brings DuckDB and hyparquet")

FIXED = {"tr_id": "VARCHAR", "tr_key": "VARCHAR", "recv_ns": "BIGINT", "recv": "TIMESTAMP WITH TIME ZONE",
         "event_ns": "BIGINT", "event": "TIMESTAMP WITH TIME ZONE", "trade_date": "DATE", "flags": "VARCHAR",
         "extra": "VARCHAR", "fields": "VARCHAR"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def export(*args, expect=0, duckdb=duckdb_reader.LIBRARY, **how):
    named = ["--duckdb", duckdb] if duckdb else []
    done = subprocess.run([nb.PROGRAM, "export", *map(str, args), *named], capture_output=True, text=True, timeout=100, **how)
    assert done.returncode == expect, (args, done.returncode, done.stderr)
    return done


class Recording:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nightbook-parquet-")
        self.path, self.out = os.path.join(self.folder.name, "journal"), os.path.join(self.folder.name, "out")
        os.makedirs(self.path)
        os.makedirs(self.out)
        nightmaker.make(self.path, frames=1500, seed=7)
        export(self.path, "--to", "jsonl", "-o", self.to("all.jsonl"), duckdb=None, expect=65)
        with open(self.to("all.jsonl"), encoding="utf-8") as file:
            self.records = [json.loads(line, parse_float=decimal.Decimal) for line in file]

    def to(self, name):
        return os.path.join(self.out, name)


NIGHT = Recording()


def expected(record):
    """The row of a record: values as text and exact; what is not told is left out."""
    row = {"flags": " ".join(record["flags"]), "recv": record["recv_ns"] // 1000}
    for name, value in record.items():
        if value is None or name == "flags":
            continue
        row[name] = "^".join(value) if isinstance(value, list) else value
    if record["event_ns"] is not None:
        row["event"] = record["event_ns"] // 1000
    if record["tr_id"] in ("H0EUASP0", "H0MFASP0"):
        who = "optn" if record["tr_id"] == "H0EUASP0" else "futs"
        for side, kis in (("ask", "askp"), ("bid", "bidp")):
            for i in range(1, 6):
                row[f"{side}_price_{i}"] = record[f"{who}_{kis}{i}"]
                row[f"{side}_quantity_{i}"] = record[f"{kis}_rsqn{i}"]
                row[f"{side}_count_{i}"] = record[f"{kis}_csnu{i}"]
            row[f"total_{side}_quantity"] = record[f"total_{kis}_rsqn"]
            row[f"total_{side}_count"] = record[f"total_{kis}_csnu"]
            row[f"total_{side}_change"] = record[f"total_{kis}_rsqn_icdc"]
    return {name: value for name, value in row.items() if value is not None}


def as_us(text):
    """DuckDB's words for a timestamp, in UTC."""
    when = datetime.datetime.fromisoformat(re.sub(r"\.(\d+)", lambda m: "." + m[1].ljust(6, "0"), text).replace("+00", "+00:00"))
    return (when - EPOCH) // datetime.timedelta(microseconds=1)


def from_duckdb(row):
    values = {}
    for name, text in row.items():
        if text is None:
            continue
        if name in ("recv", "event"):
            values[name] = as_us(text)
        elif name in FIXED and FIXED[name] in ("VARCHAR", "DATE") or name in ("optn_shrn_iscd", "futs_shrn_iscd", "bsop_hour"):
            values[name] = text
        else:
            values[name] = decimal.Decimal(text)
    return values


def from_hyparquet(row, types):
    values = {}
    for name, value in row.items():
        if value is None:
            continue
        kind = types[name]
        if kind[1] == "UTF8":
            values[name] = value
        elif kind[1] == "DECIMAL":
            values[name] = decimal.Decimal(int(value)).scaleb(-kind[2])
        elif kind[1] == "DATE":
            values[name] = (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(value))).isoformat()
        else:
            values[name] = int(value)
    return values


def hyparquet(path):
    done = subprocess.run(["node", os.path.join(nb.HERE, "hyparquet_reader.mjs"), path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    head, *rows = [json.loads(line) for line in done.stdout.splitlines()]
    return head, rows


def compare(found, records):
    assert len(found) == len(records), (len(found), len(records))
    for got, record in zip(found, records):
        want = expected(record)
        assert got == want, {name: (got.get(name), want.get(name)) for name in got.keys() | want.keys()
                             if got.get(name) != want.get(name)}


def test_duckdb_reads_what_jsonl_says():
    path = NIGHT.to("a.parquet")
    export(NIGHT.path, "-o", path, expect=65)            # 65: the maker made frames that are none
    reader = duckdb_reader.Reader()
    compare([from_duckdb(row) for row in reader.rows(path)], NIGHT.records)
    types = reader.types(path)
    assert {name: types[name] for name in FIXED} == FIXED
    assert {types[n] for n in ("optn_askp1", "futs_bidp5", "ask_price_1", "bid_price_5")} == {"DECIMAL(18,9)"}
    assert types["askp_rsqn1"] == "BIGINT" and types["ask_quantity_1"] == "INTEGER" and types["bsop_hour"] == "VARCHAR"
    words = {r["k"]: r["v"] for r in reader.ask(f"SELECT key::VARCHAR k, value::VARCHAR v FROM parquet_kv_metadata('{path}')")}
    version = subprocess.run([nb.PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert words == {"nightbook": version, "feed": "LIVE", "night": "20261123"}, words


def test_hyparquet_reads_what_jsonl_says():
    path = NIGHT.to("b.parquet")
    export(NIGHT.path, "-o", path, expect=65)
    head, rows = hyparquet(path)
    compare([from_hyparquet(row, head["types"]) for row in rows], NIGHT.records)
    assert head["types"]["event"] == ["INT64", "TIMESTAMP_MICROS", None, "MICROS", True], head["types"]["event"]
    assert head["types"]["trade_date"][1] == "DATE" and head["words"]["feed"] == "LIVE"


def test_choices_choose():
    path = NIGHT.to("c.parquet")
    export(NIGHT.path, "-o", path, "--tr", "H0MFASP0", "--codes", "A01612", "--from", "18:30", "--until", "02:00")
    begin = (nightmaker.EVENING_NS + 1800 * 10**9, nightmaker.EVENING_NS + 8 * 3600 * 10**9)
    wanted = [r for r in NIGHT.records if r["tr_id"] == "H0MFASP0" and r["tr_key"] == "A01612" and begin[0] <= r["recv_ns"] < begin[1]]
    reader = duckdb_reader.Reader()
    compare([from_duckdb(row) for row in reader.rows(path)], wanted)
    assert wanted and "optn_askp1" not in reader.types(path) and "futs_askp1" in reader.types(path)


def test_the_library_is_found_or_told_of():
    path = NIGHT.to("d.parquet")
    words = export(NIGHT.path, "-o", path, duckdb=NIGHT.to("libduckdb.so"), expect=64).stderr
    assert "libduckdb.so: No such file" in words and "script/setup --duckdb" in words and "@duckdb/node-bindings" in words, words
    assert "[NB_E_NOT_FOUND]" in words
    words = export(NIGHT.path, "-o", path, duckdb="/lib/x86_64-linux-gnu/libm.so.6", expect=78).stderr
    assert "not DuckDB's" in words, words
    link = NIGHT.to("link.so")
    os.symlink(duckdb_reader.LIBRARY, link)
    export(NIGHT.path, "-o", path, duckdb="link.so", cwd=NIGHT.out, expect=65)      # a relative path is from here
    os.unlink(link)
    assert os.path.exists(path)
    with tempfile.TemporaryDirectory(prefix="nightbook-home-") as home:
        os.makedirs(home + "/.config/nightbook")
        for place, code in ((duckdb_reader.LIBRARY, 65), ("libduckdb.so", 78)):        # from the file: absolute only
            with open(home + "/.config/nightbook/config.yaml", "w", encoding="utf-8") as file:
                file.write(f"duckdb: {place}\n")
            os.chmod(home + "/.config/nightbook/config.yaml", 0o600)
            export(NIGHT.path, "-o", path, "--force", duckdb=None, expect=code, env={**os.environ, "HOME": home})


def test_it_reaches_for_nothing_at_home():
    with tempfile.TemporaryDirectory(prefix="nightbook-duckdb-home-") as home:
        os.chmod(home, 0o500)
        export(NIGHT.path, "-o", NIGHT.to("e.parquet"), "--force", expect=65, cwd=home, env={**os.environ, "HOME": home})
        assert os.listdir(home) == []


def test_a_full_disk_leaves_nothing():
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))

    path = NIGHT.to("full.parquet")
    before = sorted(os.listdir(NIGHT.out))
    done = export(NIGHT.path, "-o", path, expect=71, preexec_fn=small)
    assert "DuckDB" in done.stderr and "File too large" in done.stderr, done.stderr
    assert sorted(os.listdir(NIGHT.out)) == before


def test_what_is_there_stays():
    path = NIGHT.to("there.parquet")
    with open(path, "w", encoding="utf-8") as file:
        file.write("mine")
    assert "--force" in export(NIGHT.path, "-o", path, expect=64).stderr
    with open(path, encoding="utf-8") as file:
        assert file.read() == "mine"
    export(NIGHT.path, "-o", path, "--force", expect=65)
    assert len(duckdb_reader.Reader().rows(path)) == len(NIGHT.records)


if __name__ == "__main__":
    nb.run_tests(globals())
