# SPDX-License-Identifier: Apache-2.0
"""Recordings as tests read them, written from docs/journal.md alone: lines of a journal, and whole commands about it."""
import glob
import json
import os
import re
import subprocess

from nb import PROGRAM

ESCAPE = re.compile(rb"\\x([0-9a-f]{2})", re.IGNORECASE)
EXIT_BROKEN = 65


class Line:
    def __init__(self, raw):
        recv, link, kind, payload = raw.split(b" ", 3)
        self.recv_ns, self.link, self.kind = int(recv), int(link), kind.decode()
        self.payload = ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), payload)

    def mark(self):
        return json.loads(self.payload)


def segments(directory):
    """Paths in order; of a segment that is there plain and packed, the plain one."""
    found = {}
    for path in glob.glob(os.path.join(directory, "*", "*.log")) + glob.glob(os.path.join(directory, "*", "*.log.zst")):
        if not path.endswith(".zst") or name(path) not in found:
            found[name(path)] = path
    return [found[key] for key in sorted(found)]


def name(path):
    return os.path.basename(path).split(".")[0]


def content(path):
    if not path.endswith(".zst"):
        with open(path, "rb") as file:
            return file.read()
    return subprocess.run(["zstdcat", path], check=True, capture_output=True).stdout


def lines(data):
    """Whole lines; a torn one at the end is none."""
    return [Line(raw) for raw in data.split(b"\n")[:-1]]


def all_lines(directory):
    return [line for path in segments(directory) for line in lines(content(path))]


def of_kind(found, kind):
    return [line for line in found if line.kind == kind]


def command(*args, expect=0, timeout=120):
    """`nightbook journal ARGS`: what it prints. `expect`: an exit code, or several."""
    done = subprocess.run([PROGRAM, "journal", *args], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode in (expect if isinstance(expect, tuple) else (expect,)), (args, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout
