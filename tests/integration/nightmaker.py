# SPDX-License-Identifier: Apache-2.0
"""A small recording, written line by line from docs/journal.md, with what exports find difficult in it."""
import json
import os
import random

import xxhash

KST = 9 * 3600 * 10**9
NIGHT = 20261123                                     # trade date; its evening is Friday the 20th
EVENING_NS = 1795165200 * 10**9                      # 2026-11-20 18:00:00 KST


class Night:
    """One plain segment of a live feed. `add()` gives the receive time it used."""

    def __init__(self, directory, feed="live", clock="live", night=NIGHT, number=1, begin_ns=EVENING_NS, run="0123456789abcdef",
                 after=None):
        self.journal, self.feed, self.night = directory, feed, night
        self.folder = os.path.join(directory, str(night))
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(directory, "journal.json"), "w", encoding="utf-8") as file:
            json.dump({"nightbook_journal": 1, "feed": feed}, file, separators=(",", ":"))
        self.name = f"{night}-{number:06}"
        self.path = os.path.join(self.folder, self.name + ".log")
        self.span, self.out, self.now_ns, self.clock = b"", b"", begin_ns, clock
        self.line(0, "start", json.dumps({"format": 1, "version": "0.1.0", "host": "desk", "feed": feed, "night": night,
                                          "segment": self.name, "run": run,
                                          "after": after}, separators=(",", ":")))

    def line(self, link, kind, payload, recv_ns=None):
        if isinstance(payload, str):
            payload = payload.encode()
        self.span += b"%d %d %s %s\n" % (recv_ns or self.now_ns, link, kind.encode(), payload)
        if len(self.span) >= 1 << 20:
            self.sum()

    def sum(self):
        head = b'%d 0 sum {"bytes":%d,"xxh3":"' % (self.now_ns, len(self.span))
        self.out += self.span + head + xxhash.xxh3_64_hexdigest(self.span + head).encode() + b'"}\n'
        self.span = b""

    def connect(self, link, clock=None):
        kst = "2026-11-20T18:00:00.000+09:00"
        stated = clock or f"{self.clock}; session={kst}; speed=1"
        self.line(link, "connect", json.dumps({"feed": f"kis {link}", "address": "ws://ops:21000", "clock": stated,
                                               "is_continued": False}, separators=(",", ":")))

    def gap(self, link):
        self.line(link, "gap", '{"reason":"cut","is_rest":false}')

    def frame(self, link, text, step_ns=0):
        self.now_ns += step_ns
        self.line(link, "frame", text)
        return self.now_ns

    def write(self):
        if self.span:
            self.line(0, "stop", '{"reason":"end"}')
            self.sum()
        with open(self.path, "wb") as file:
            file.write(self.out)
        return self.path


def hhmmss(ns):
    seconds = (ns + KST) // 10**9 % 86400
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def price(e2):
    return f"{'-' if e2 < 0 else ''}{abs(e2) // 100}.{abs(e2) % 100:02}"


class Market:
    """Books that move, as KIS prints them; seeded, so that a failure comes back."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.mids, self.totals = {}, {}

    def record(self, code, time, levels=5, blank_level=False, counts=True):
        rng = self.random
        mid = self.mids.setdefault(code, rng.randrange(200, 2000)) + rng.randrange(-2, 3)
        self.mids[code] = max(20, mid)
        asks = [self.mids[code] + 1 + i for i in range(levels)]
        bids = [self.mids[code] - 1 - i for i in range(levels)]
        quantities = [[rng.randrange(1, 60) for _ in range(levels)] for _ in "ab"]
        fields = [code, time]
        for side in (asks, bids):
            fields += [price(p) for p in side] + ["0.00"] * (5 - levels)
        for side in quantities:
            fields += [str(rng.randrange(1, 9)) if counts and rng.random() < .7 else "0" for _ in side] + ["0"] * (5 - levels)
        for side in quantities:
            fields += [str(q) for q in side] + ["0"] * (5 - levels)
        if blank_level:
            fields[2 + levels - 1], fields[22 + levels - 1] = "", ""
        totals = [sum(side) + rng.randrange(0, 100) for side in quantities]
        before = self.totals.get(code, totals)
        self.totals[code] = [totals[0] + (rng.random() < .03), totals[1]]        # a change that does not fit
        return "^".join(fields + ["0", "0"] + [str(t) for t in totals] + [str(n - b) for n, b in zip(totals, before)])


def make(directory, frames=400, seed=1, codes=("B01612745", "C01612745", "301V06362")):
    """@return the segment's path. 1–3 records a frame, an unknown TR, drift, missing and blank levels, far and blank times,
    a crossed book, an escaped byte, a frame that is none, a link that went down, another appkey's link, a night across midnight."""
    night, market = Night(directory), Market(seed)
    rng = market.random
    night.connect(1)
    night.connect(2)
    futures = ("101W12", "A01612")
    for i in range(frames):
        night.now_ns += rng.randrange(1, 120 * 10**9)
        now = hhmmss(night.now_ns - rng.randrange(0, 3) * 10**9)
        chosen = rng.sample(codes, rng.randrange(1, len(codes) + 1))
        levels, tail = rng.choice([5, 5, 5, 3, 1, 0]), ""
        if i % 17 == 3:
            tail = "^9^extra"                        # drift
        if i % 41 == 7:
            now = ""                                 # a record without a time
        if i % 53 == 9:
            now = hhmmss(night.now_ns - 3 * 3600 * 10**9)
        body = "^".join(market.record(code, now, levels, blank_level=levels > 0 and i % 19 == 5, counts=i % 3 > 0) + tail
                        for code in chosen)
        night.frame(1, f"0|H0EUASP0|{len(chosen):03}|{body}" + ("^" if i % 5 == 0 and not tail else ""))
        if i % 4 == 0:
            night.frame(2, f"0|H0MFASP0|001|{market.record(futures[i // 4 % 2], now)}")
        if i % 29 == 0:
            night.frame(1, f"0|H0XXXXX0|001|{codes[0]}^{now}^a,\"b\\x5c^-1.5")
        if i == frames // 2:
            night.gap(1)
            night.connect(1)
        if i % 97 == 11:
            night.frame(1, f"0|H0EUASP0|001|{codes[0]}^{now}^x")      # too few fields
        if i % 101 == 13:
            night.line(1, "pingpong", '{"header":{"tr_id":"PINGPONG","datetime":"20261120180000"}}')
        if i == 30:                                  # crossed
            fields = market.record(codes[0], now).split("^")
            fields[2] = price(50)
            night.frame(1, "0|H0EUASP0|001|" + "^".join(fields))
    return night.write()


if __name__ == "__main__":
    import sys
    make(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 400)
