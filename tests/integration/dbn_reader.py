# SPDX-License-Identifier: Apache-2.0
"""A reader of DBN version 3, schema mbp-10, from databento's published layout; shares nothing with the writer.

Checks while it reads what databento's own readers check or need: prefix, version, length a multiple of 8, terminated
names, no schema definition, whole records, and that every record's id is mapped on the UTC date of its ts_recv."""
import datetime
import struct

UNDEF_PRICE = 2**63 - 1
UNDEF_TIMESTAMP = 2**64 - 1
UNDEF_ORDER_SIZE = 2**32 - 1


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, format_):
        value, = struct.unpack_from("<" + format_, self.data, self.at)
        self.at += struct.calcsize("<" + format_)
        return value

    def name(self, size):
        raw = self.data[self.at:self.at + size]
        self.at += size
        end = raw.index(b"\0")                       # ValueError: not terminated
        assert not raw[end:].strip(b"\0"), raw
        return raw[:end].decode("ascii")


def read_metadata(data):
    assert data[:3] == b"DBN" and data[3] == 3, data[:4]
    length, = struct.unpack_from("<I", data, 4)
    assert length % 8 == 0 and length >= 100 and len(data) >= 8 + length, length
    b = Bytes(data[8:8 + length])
    m = {"dataset": b.name(16), "schema": b.take("H"), "start": b.take("Q"), "end": b.take("Q"), "limit": b.take("Q"),
         "stype_in": b.take("B"), "stype_out": b.take("B"), "ts_out": b.take("B"), "symbol_cstr_len": b.take("H")}
    assert not any(b.data[b.at:b.at + 53]), "reserved"
    b.at += 53
    assert b.at == 100, b.at
    assert b.take("I") == 0, "schema definition"
    size = m["symbol_cstr_len"]
    for what in ("symbols", "partial", "not_found"):
        m[what] = [b.name(size) for _ in range(b.take("I"))]
    m["mappings"] = []
    for _ in range(b.take("I")):
        raw = b.name(size)
        m["mappings"].append((raw, [(b.take("I"), b.take("I"), b.name(size)) for _ in range(b.take("I"))]))
    assert len(b.data) - b.at < 8 and not any(b.data[b.at:]), "padding"
    return m, 8 + length


def symbols_by_day(metadata):
    """(YYYYMMDD, id) -> code, days from start (inclusive) to end (exclusive), as databento's TsSymbolMap."""
    assert metadata["stype_in"] == 1 and metadata["stype_out"] == 0     # raw symbol to instrument id
    days = {}
    for raw, intervals in metadata["mappings"]:
        for start, end, symbol in intervals:
            day, last = (datetime.datetime.strptime(str(d), "%Y%m%d").date() for d in (start, end))
            assert day < last, (start, end)
            while day < last:
                assert days.setdefault((day, int(symbol)), raw) == raw, symbol
                day += datetime.timedelta(days=1)
    return days


def read(path_or_bytes):
    """(metadata, list of records as dicts; levels are lists of 10)"""
    data = path_or_bytes if isinstance(path_or_bytes, bytes) else open(path_or_bytes, "rb").read()
    metadata, at = read_metadata(data)
    days, records = symbols_by_day(metadata), []
    while at < len(data):
        length, rtype, publisher, instrument = struct.unpack_from("<BBHI", data, at)
        assert length * 4 == 368 and rtype == 0x0A and at + 368 <= len(data), (at, length, rtype)
        ts_event, price, size, action, side, flags, depth, ts_recv, delta, sequence = struct.unpack_from("<QqIccBBQiI", data, at + 8)
        levels = [struct.unpack_from("<qqIIII", data, at + 48 + 32 * i) for i in range(10)]
        day = datetime.datetime.fromtimestamp(ts_recv // 10**9, datetime.timezone.utc).date()
        records.append({"code": days[day, instrument], "publisher_id": publisher, "instrument_id": instrument,
                        "ts_event": ts_event, "price": price, "size": size, "action": action, "side": side, "flags": flags,
                        "depth": depth, "ts_recv": ts_recv, "ts_in_delta": delta, "sequence": sequence,
                        "bid": [(l[0], l[2], l[4]) for l in levels], "ask": [(l[1], l[3], l[5]) for l in levels]})
        assert metadata["start"] <= ts_recv < metadata["end"], (metadata["start"], ts_recv)
        at += 368
    return metadata, records
