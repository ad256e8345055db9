#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""examples/journal_reader.py, written from docs/journal.md alone, reads what `nightbook serve` recorded: the same lines
as `nightbook journal cat`, plain and packed; and where bytes were damaged, all that a sum still proves."""
import contextlib
import glob
import importlib.util
import io
import os
import shutil
import tempfile

import journal
from nb import HERE, Server, run_tests, wait_for

EXAMPLE = os.path.join(HERE, "..", "..", "examples", "journal_reader.py")
SPEC = importlib.util.spec_from_file_location("journal_reader", EXAMPLE)
reader = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reader)
assert reader.xxh3, "python3-xxhash is needed here: hashes are part of what is shown"


def read(path):
    """(lines, what it said on stderr)"""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        lines = list(reader.read(path))
    return lines, told.getvalue()


def cat(path):
    """The same from the product: every line but sums, unescaped."""
    lines = journal.lines(journal.command("cat", path).encode())
    return [(line.recv_ns, line.link, line.kind, line.payload) for line in lines if line.kind != "sum"]


NIGHT = tempfile.TemporaryDirectory(prefix="nightbook-reader-")


@contextlib.contextmanager
def recorded():
    """A simulated night of a few plain segments, made once; each test has a copy of its own."""
    made = os.path.join(NIGHT.name, "nights")
    if not os.path.isdir(made):
        with Server("serve", "--journal", made, "--rate", "3000", "--segment-time", "3", "--pack-level", "0") as server:
            wait_for("three segments", lambda: len(journal.segments(made)) >= 3, 30)
            server.stop(within=10)
    with tempfile.TemporaryDirectory() as place:
        yield shutil.copytree(made, os.path.join(place, "nights"))


def test_the_example_has_at_most_thirty_lines():
    with open(EXAMPLE) as file:
        assert len(file.readlines()) <= 30


def test_the_span_in_the_document_fits():
    with open(os.path.join(HERE, "..", "..", "docs", "journal.md"), "rb") as file:
        text = file.read()
    span = text[text.index(b"to try your reader on"):].split(b"```\n")[1]
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "x.log")
        with open(path, "wb") as file:
            file.write(span)
        lines, told = read(path)
        assert told == "" and [line[2] for line in lines] == ["frame", "other"], (told, lines)
        assert lines[1][3] == b"a line\nbreak, a \\, no UTF-8: \xff, \xea\xb0\x80", lines[1]
        with open(path, "wb") as file:
            file.write(span.replace(b"8.34", b"8.33"))
        assert read(path) == ([], f"{path}: damaged: {len(span)} bytes from 0 on\n")


def test_it_reads_what_was_recorded_plain_and_packed():
    with recorded() as directory:
        paths = journal.segments(directory)
        plain = {}
        for path in paths:
            plain[path], told = read(path)
            assert told == "" and plain[path] == cat(path), path
            kinds = [line[2] for line in plain[path]]
            assert kinds[0] == "start" and kinds[-1] == "stop" and kinds.count("frame") > 0, kinds[:3] + kinds[-3:]
        journal.command("pack", directory)
        assert not glob.glob(os.path.join(directory, "*", "*.log"))
        for path in paths:
            lines, told = read(path + ".zst")
            assert told == "" and lines == plain[path], path


def test_it_reads_around_damage():
    with recorded() as directory:
        path = journal.segments(directory)[0]
        good, _ = read(path)
        whole = journal.content(path)
        sums = [found.end() for found in reader.SUM.finditer(whole)]
        assert len(sums) >= 3, sums
        begin, end = sums[0], sums[1]  # the second span, or its sum, is damaged
        rest = journal.lines(whole[:begin] + whole[end:])
        left = [(line.recv_ns, line.link, line.kind, line.payload) for line in rest if line.kind != "sum"]
        assert 0 < len(left) < len(good)
        hash_check = reader.xxh3
        for at, has_xxhash in ((begin, True), (begin + 100, True), (end - 30, True), (end - 3, True), (end - 1, True)):
            bad = bytearray(whole)
            bad[at] ^= 4
            with open(path, "wb") as file:
                file.write(bad)
            lines, told = read(path)
            assert told == f"{path}: damaged: {end - begin} bytes from {begin} on\n", (at, told, begin, end)
            assert lines == left, at
        # without xxhash a flipped bit is not seen, a lost line is
        reader.xxh3 = None
        assert read(path)[1] != ""  # the sum at `end` is still no line of its own
        with open(path, "wb") as file:
            file.write(whole[:begin + 50] + whole[begin + 60:])
        lines, told = read(path)
        assert lines == left and f"from {begin} on" in told
        reader.xxh3 = hash_check
        # torn at the end: whole lines behind the last sum are read
        with open(path, "wb") as file:
            file.write(whole[:sums[-2] + 1000])
        lines, told = read(path)
        assert told == "" and lines == good[:len(lines)] and len(lines) > 10


def test_it_says_when_a_packed_one_is_cut():
    with recorded() as directory:
        journal.command("pack", directory)
        path = journal.segments(directory)[0]
        cut = os.path.join(directory, "cut.log.zst")
        shutil.copy(path, cut)
        os.truncate(cut, os.path.getsize(path) // 2)
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                lines = list(reader.read(cut))
        except OSError as error:
            assert "journal repair" in str(error)
        else:
            raise AssertionError(f"{len(lines)} lines and no word of the rest")


if __name__ == "__main__":
    run_tests(globals())
