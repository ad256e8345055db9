#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nightbook journal` on a recording that a real serve made, as a user has it: listed, shown, cut out, damaged, repaired, packed,
pruned. What it prints is compared with a reader of our own."""
import atexit
import datetime
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import journal
from journal import EXIT_BROKEN, command
from nb import PROGRAM, Server, run_tests, wait_for

KST = datetime.timezone(datetime.timedelta(hours=9))
EXIT_USAGE, EXIT_BUSY = 64, 75
SPEED = 60
_made = None


def recording():
    """A night of four plain segments or more, made once."""
    global _made
    if _made is None:
        _made = tempfile.mkdtemp(prefix="nightbook-journal-")
        atexit.register(shutil.rmtree, _made, ignore_errors=True)
        with Server("serve", "--feed", "sim", "--rate", "1500", "--at", "23:05", "--speed", str(SPEED), "--journal", _made,
                    "--segment-time", "1", "--pack-level", "0", "--fault", "rst:2s"):
            wait_for("segments", lambda: len(journal.segments(_made)) >= 5, 30)
        check_state(_made, "complete")
    return _made


def check_state(directory, state):
    assert [night["state"] for night in nights(directory)] == [state], nights(directory)


def nights(directory, *more):
    return [json.loads(line) for line in command("ls", "--json", "--dir", directory, *more).splitlines()]


class Copy:
    """The recording again, to be spoiled."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nightbook-journal-")
        path = os.path.join(self.folder.name, "j")
        shutil.copytree(recording(), path)
        return path

    def __exit__(self, *_):
        self.folder.cleanup()


def raw_lines(directory):
    """Each line as it stands, in order."""
    return [line for path in journal.segments(directory) for line in journal.content(path).split(b"\n")[:-1]]


def session_times(directory):
    """(raw line, Line, session ns or None) by the clocks that the connect marks of a segment state."""
    for path in journal.segments(directory):
        clocks, newest = {}, None
        for raw in journal.content(path).split(b"\n")[:-1]:
            line = journal.Line(raw)
            if line.kind == "connect":
                stated = dict(part.split("=") for part in line.mark()["clock"].split("; ")[1:])
                whole, fraction = stated["session"].removesuffix("+09:00").split(".")
                at = datetime.datetime.fromisoformat(whole + "+09:00")
                newest = clocks[line.link] = (line.recv_ns, int(at.timestamp()) * 10**9 + int(fraction.ljust(9, "0")),
                                              float(stated["speed"]))
            clock = clocks.get(line.link, newest)
            yield raw, line, clock and clock[1] + int((line.recv_ns - clock[0]) * clock[2])


def ns_of(clock, day="2026-11-20"):
    return int(datetime.datetime.fromisoformat(f"{day}T{clock}+09:00").timestamp() * 10**9)


def cat(directory, *args, expect=0):
    done = subprocess.run([PROGRAM, "journal", "cat", "--dir", directory, *args], capture_output=True, check=False, timeout=60)
    assert done.returncode == expect, (args, done.returncode, done.stderr)
    return done.stdout, done.stderr.decode()


def keys_of(message):
    head = message.split(b"|", 3)
    fields = head[3].split(b"^")
    stride = len(fields) // int(head[2])
    return {fields[i * stride] for i in range(int(head[2]))}


def flip(path, offset, bit=1):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ bit]))


# ---- looking ----


def test_ls_and_info_count_what_is_there():
    directory = recording()
    found = journal.all_lines(directory)
    frames = journal.of_kind(found, "frame")
    times = [ns for _, _, ns in session_times(directory) if ns is not None]
    night = nights(directory)[0]
    assert night["feed"] == "sim" and night["segments"] == len(journal.segments(directory)) and night["packed"] == 0, night
    assert night["lines"] == len(found) and night["frames"] == len(frames), night
    for name, ns in (("first", min(times)), ("last", max(times))):
        whole, fraction = night[name].removesuffix("+09:00").split(".")
        shown = int(datetime.datetime.fromisoformat(whole + "+09:00").timestamp()) * 10**9 + int(fraction)
        assert abs(shown - ns) < 1000, (name, night, ns)
    text = command("ls", "--dir", directory)
    assert f" {len(frames)} " in text and "sim" in text and "complete" in text, text

    info = json.loads(command("info", "--json", "--dir", directory))
    kinds = {}
    for line in found:
        kinds[line.kind] = kinds.get(line.kind, 0) + 1
    assert info["kinds"] == kinds, (info["kinds"], kinds)
    by_tr = {}
    for line in frames:
        tr = by_tr.setdefault(line.payload.split(b"|")[1].decode(), [0, 0, set()])
        tr[0] += 1
        tr[1] += int(line.payload.split(b"|")[2])
        tr[2] |= keys_of(line.payload)
    assert {row["tr_id"]: [row["frames"], row["records"], row["keys"]] for row in info["trs"]} == \
        {name: [row[0], row[1], len(row[2])] for name, row in by_tr.items()}
    fresh = [line for line in journal.of_kind(found, "connect") if not line.mark()["is_continued"]]
    assert len(info["links"]) == len(fresh) >= 2, info["links"]  # --fault cut:2s
    assert sum(link["frames"] for link in info["links"]) == len(frames)
    gaps = journal.of_kind(found, "gap")
    assert [link["reason"] for link in info["links"]] == [gap.mark()["reason"] for gap in gaps]
    assert sum(row["count"] for row in info["answers"]) == kinds["answer"]
    text = command("info", "--dir", directory)
    assert "SIMULATED" in text and "gaps" in text and f"frame {len(frames)}" in text, text


def test_places_are_named_as_people_do():
    directory = recording()
    night = os.path.basename(os.path.dirname(journal.segments(directory)[0]))
    dashed = f"{night[:4]}-{night[4:6]}-{night[6:]}"
    everything, _ = cat(directory)
    for place in ("last", night, dashed, os.path.join(directory, night), directory, directory + "/"):
        assert cat(directory, place)[0] == everything, place
    second = journal.segments(directory)[1]
    for place in (second, os.path.basename(second), os.path.basename(second)[:-4]):
        assert cat(directory, place)[0] == journal.content(second), place
    for place, words in (("2026-02-30", "neither"), ("2025-01-02", "no night of that trade date"), ("nothing", "neither a file")):
        assert words in cat(directory, place, expect=EXIT_USAGE)[1], place
    with tempfile.TemporaryDirectory() as empty:
        assert "neither a journal nor a night" in cat(empty, empty, expect=EXIT_USAGE)[1]
        for verb in ("ls", "cat"):
            done = subprocess.run([PROGRAM, "journal", verb, "--dir", empty + "/none"], capture_output=True, text=True, check=False)
            assert done.returncode == EXIT_USAGE and "there is no journal; `nightbook serve`" in done.stderr, done


def test_cat_gives_what_was_recorded_and_what_was_asked_for():
    directory = recording()
    assert cat(directory)[0] == b"".join(line + b"\n" for line in raw_lines(directory))
    timed = list(session_times(directory))
    for begin, end in (("23:05", "23:06"), ("23:06:30", "23:07:15.5"), ("23:07", "23:59"), ("23:00", "23:01")):
        wanted = [raw for raw, _, ns in timed if ns is not None and ns_of(begin) <= ns < ns_of(end)]
        got = cat(directory, "--from", begin, "--to", end)[0].split(b"\n")[:-1]
        assert got == wanted, (begin, end, len(got), len(wanted))
    assert cat(directory, "--from", "2026-11-20T23:06:30", "--to", "00:10")[0] == \
        b"".join(raw + b"\n" for raw, _, ns in timed if ns is not None and ns >= ns_of("23:06:30"))
    frames = [(raw, line) for raw, line, _ in timed if line.kind == "frame"]
    codes = sorted({key for _, line in frames for key in keys_of(line.payload)})[:3]
    got, _ = cat(directory, "--codes", b",".join(codes).decode())
    assert got == b"".join(raw + b"\n" for raw, line in frames if keys_of(line.payload) & set(codes)) != b""
    got, _ = cat(directory, "--tr", "H0MFASP0", "--raw")
    assert got == b"".join(line.payload + b"\n" for _, line in frames if line.payload.split(b"|")[1] == b"H0MFASP0") != b""
    got, _ = cat(directory, "--kinds", "connect,gap,stop")
    assert got == b"".join(raw + b"\n" for raw, line, _ in timed if line.kind in ("connect", "gap", "stop")) != b""
    got, _ = cat(directory, "--tr", "H0MFASP0", "--kinds", "gap")
    assert got == b"".join(raw + b"\n" for raw, line, _ in timed
                           if line.kind == "gap" or (line.kind == "frame" and line.payload.split(b"|")[1] == b"H0MFASP0"))
    for args, words in ((("--kinds", "nope"), "one of frame"), (("--from", "24:10"), "a time of KST"), (("--codes", ","), "a code"),
                        (("--from", "23:20", "--to", "23:10"), "ends before it begins"), (("--json",), "--json goes with")):
        assert words in cat(directory, *args, expect=EXIT_USAGE)[1], args


def test_cat_into_a_pipe_that_closes():
    done = subprocess.run(["bash", "-c", f"set -o pipefail; '{PROGRAM}' journal cat --dir '{recording()}' | head -n 1"],
                          capture_output=True, check=False, timeout=60)
    assert done.returncode == 0 and done.stdout.count(b"\n") == 1 and done.stderr == b"", done
    decoded = subprocess.run(["bash", "-c", f"'{PROGRAM}' journal cat --tr H0EUASP0 --dir '{recording()}' | '{PROGRAM}' decode"],
                             capture_output=True, check=True, timeout=60).stdout.split(b"\n")[:-1]
    found = [line for line in journal.all_lines(recording()) if line.payload.startswith(b"0|H0EUASP0|")]
    assert len(decoded) == sum(int(line.payload.split(b"|")[2]) for line in found)
    assert json.loads(decoded[0])["recv_ns"] == found[0].recv_ns


# ---- packing ----


def test_pack_changes_no_line_and_makes_seeking_cheap():
    with Copy() as directory:
        before, _ = cat(directory)
        some, _ = cat(directory, "--from", "23:06", "--to", "23:07")
        text = command("pack", "--dir", directory)
        assert text.count("packed:") == len(journal.segments(recording())), text
        packed = sorted(glob.glob(directory + "/*/*.log.zst"))
        assert packed and not glob.glob(directory + "/*/*.log"), os.listdir(directory)
        assert subprocess.run(["zstdcat", *packed], capture_output=True, check=True).stdout == before
        assert cat(directory)[0] == before
        got, words = cat(directory, "--from", "23:06", "--to", "23:07", "--count-reads")
        assert got == some != b""
        read, total = map(int, re.search(r"(\d+) of (\d+) zstd frames read", words).groups())
        assert 1 <= read < total == len(packed), words
        _, words = cat(directory, "--from", "04:00", "--to", "04:10", "--count-reads")
        assert " 0 of " in words, words
        assert "all good" in command("verify", "--dir", directory)
        assert "all segments are packed already" in command("pack", "--dir", directory)
        check_state(directory, "complete")


def test_a_recording_that_runs_is_left_alone():
    with tempfile.TemporaryDirectory() as directory:
        place = os.path.join(directory, "j")
        with Server("serve", "--feed", "sim", "--rate", "500", "--journal", place, "--segment-time", "2", "--pack-level", "0") as server:
            wait_for("two segments", lambda: len(journal.segments(place)) >= 2, 20)
            check_state(place, "recording")
            cat(place, "--kinds", "frame")
            newest = journal.segments(place)[-1]
            assert "is being recorded" in command("pack", newest)
            assert os.path.exists(newest)
            command("verify", "--dir", place)
            text = subprocess.run([PROGRAM, "journal", "repair", newest], capture_output=True, text=True, check=False)
            assert text.returncode in (0, EXIT_BUSY), text
            command("prune", "--dir", place, "--keep-nights", "1")
            assert os.path.exists(newest)
        check_state(place, "complete")
        assert "all good" in command("verify", "--dir", place)


def test_a_recorder_that_was_killed():
    with tempfile.TemporaryDirectory() as directory:
        place = os.path.join(directory, "j")
        server = Server("serve", "--feed", "sim", "--rate", "2000", "--journal", place)
        wait_for("lines", lambda: journal.segments(place) and os.path.getsize(journal.segments(place)[-1]) > 200000, 20)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        check_state(place, "cut short")
        cat(place)
        command("verify", "--dir", place)
        assert "packed:" in command("pack", "--dir", place)
        assert "all good" in command("verify", "--dir", place)


# ---- damage ----


def spoiled(directory, expect_lines_at_least):
    """What cat still gives, checked against what was recorded."""
    got, words = cat(directory, expect=EXIT_BROKEN)
    got = got.split(b"\n")[:-1]
    known = set(raw_lines(recording()))
    assert all(line in known for line in got), [line for line in got if line not in known][:2]
    assert len(got) >= expect_lines_at_least, len(got)
    return got, words


def test_a_night_of_a_newer_nightbook_is_named_and_hides_no_other():
    with Copy() as directory:
        path = journal.segments(directory)[-1]
        night = os.path.basename(path)[:8]
        later = os.path.join(directory, "20991230")
        os.mkdir(later)
        with open(path, "rb") as old, open(os.path.join(later, "20991230-000001.log"), "wb") as new:
            new.write(re.sub(b'"format":1,"version":"[^"]*"', b'"format":2,"version":"9.1.0"', old.readline()))
        for verb in ("ls", "verify", "cat"):
            result = subprocess.run([PROGRAM, "journal", verb, directory], capture_output=True, text=True, check=False)
            assert result.returncode == EXIT_BROKEN, (verb, result)
            assert "20991230-000001: nightbook" in result.stderr and "in format 2" in result.stderr, (verb, result.stderr)
            if verb == "ls":
                assert f"{night[:4]}-{night[4:6]}-{night[6:]} " in result.stdout, result.stdout


def test_a_flipped_bit_is_found_named_and_repaired():
    with Copy() as directory:
        path = journal.segments(directory)[2]
        name = os.path.basename(path)[:-4]
        offset = os.path.getsize(path) // 2
        flip(path, offset)
        text = command("verify", "--dir", directory, expect=EXIT_BROKEN)
        size, begin = map(int, re.search(rf"{name}  DAMAGED.*\n    (\d+) bytes from byte (\d+): ", text).groups())
        assert begin <= offset < begin + size, (text, offset)
        report = [json.loads(line) for line in command("verify", "--json", "--dir", directory, expect=EXIT_BROKEN).splitlines()]
        assert [row["state"] for row in report if row["segment"] == name] == ["damaged"]
        assert report[2]["places"][0]["offset"] == begin
        lost = journal.content(path)[begin:begin + size].count(b"\n")
        got, words = spoiled(directory, len(raw_lines(recording())) - lost)
        assert name in words and str(begin) in words, words
        assert subprocess.run([PROGRAM, "journal", "info", "--dir", directory], capture_output=True, check=False).returncode == EXIT_BROKEN

        text = command("repair", "last", "--dir", directory)
        assert f"{name}  repaired: 1 place" in text and text.count("unchanged") == len(report) - 1, text
        kept = glob.glob(os.path.join(os.path.dirname(path), name + "*damaged-*"))
        assert len(kept) == 1, os.listdir(os.path.dirname(path))
        command("verify", "--dir", directory)
        after = cat(directory)[0].split(b"\n")[:-1]
        frames = [line for line in after if line.split(b" ", 3)[2] == b"frame"]
        assert frames == [line for line in got if line.split(b" ", 3)[2] == b"frame"]
        assert "unchanged" in command("repair", name, "--dir", directory)
        for _ in ("plain", "packed"):  # what is missing stays told
            assert f", repaired: {size} bytes are missing" in command("ls", "--dir", directory)
            assert f"repaired  {size} bytes are missing, at 1 place;" in command("info", "--dir", directory)
            rows = [json.loads(command(verb, "--json", "--dir", directory)) for verb in ("ls", "info")]
            assert [(row["repairs"], row["repaired_bytes"]) for row in rows] == [(1, size)] * 2, rows
            command("pack", "--dir", directory)


def test_a_damaged_zstd_frame_costs_no_more_than_itself():
    with Copy() as directory:
        command("pack", "--dir", directory)
        path = sorted(glob.glob(directory + "/*/*.zst"))[1]
        name = os.path.basename(path)[:-8]
        flip(path, 5000)
        text = command("verify", "--dir", directory, expect=EXIT_BROKEN)
        assert f"{name}  DAMAGED" in text, text
        _, words = spoiled(directory, 1)
        assert f"segment {name}: zstd frame 1 of" in words, words
        command("repair", name, "--dir", directory)
        command("verify", "--dir", directory)
        cat(directory)
        # without its end it is read frame by frame
        path = sorted(glob.glob(directory + "/*/*.zst"))[2]
        os.truncate(path, os.path.getsize(path) - 30)
        before = len(raw_lines(recording()))
        again = directory + "-again"
        shutil.copytree(directory, again)
        name = os.path.basename(path)[:-8]
        assert f"{name}  repaired: no line is missing, its packed form was damaged" in command("repair", name, "--dir", again)
        command("verify", "--dir", again)
        shutil.rmtree(again)
        got, words = spoiled_after_repair(directory)
        assert "its index cannot be used" in words, words
        assert 0 < len(got) < before


def spoiled_after_repair(directory):
    got, words = cat(directory, expect=EXIT_BROKEN)
    return got.split(b"\n")[:-1], words


def test_a_torn_end_and_a_missing_segment():
    with Copy() as directory:
        paths = journal.segments(directory)
        os.truncate(paths[-1], os.path.getsize(paths[-1]) - 3)
        command("verify", "--dir", directory)  # as a recorder that was killed leaves it
        cat(directory)
        os.truncate(paths[1], os.path.getsize(paths[1]) - 3)
        text = command("verify", "--dir", directory, expect=EXIT_BROKEN)
        assert f"{os.path.basename(paths[1])[:-4]}  DAMAGED" in text, text
        os.remove(paths[2])
        name = os.path.basename(paths[2])[:-4]
        text = command("verify", "--dir", directory, expect=EXIT_BROKEN)
        assert f"{name}  MISSING" in text, text
        _, words = spoiled(directory, 1)
        assert f"segment {name} is missing" in words, words
        check_state(directory, "damaged")


def test_a_journal_of_a_newer_version_is_refused_with_words():
    with Copy() as directory:
        with open(os.path.join(directory, "journal.json"), "w", encoding="ascii") as file:
            file.write('{"nightbook_journal":2,"feed":"sim"}')
        assert "newer nightbook" in cat(directory, expect=EXIT_BROKEN)[1]


# ---- pruning ----


def test_prune_removes_the_oldest_nights_only():
    with Copy() as directory:
        newest = os.path.dirname(journal.segments(directory)[0])
        for date in ("20260105", "20260106", "20260107"):
            older = os.path.join(directory, date)
            os.mkdir(older)
            for path in journal.segments(recording())[:2]:
                shutil.copy(path, os.path.join(older, date + os.path.basename(path)[8:]))
        assert len(nights(directory)) == 4
        for words in (command("prune", "--dir", directory, "--keep-nights", "2", "--dry-run"),
                      command("prune", "--dir", directory, "--keep-nights", "2")):
            assert "2026-01-05" in words and "2026-01-06" in words and "2026-01-07" not in words, words
            assert "2 nights" in words, words
        assert sorted(os.listdir(directory)) == sorted(["20260107", os.path.basename(newest), "journal.json", "lock"])
        assert "nothing is beyond" in command("prune", "--dir", directory, "--keep-bytes", "1T")
        assert "2026-01-07" in command("prune", "--dir", directory, "--keep-bytes", "1")
        assert [night["path"] for night in nights(directory)] == [newest]
        for args in (("prune",), ("prune", "--keep-bytes", "some"), ("prune", "--keep-bytes", "0"), ("repair",), ("lst",), ()):
            done = subprocess.run([PROGRAM, "journal", *args, "--dir", directory], capture_output=True, check=False)
            assert done.returncode == EXIT_USAGE and done.stderr, (args, done)


if __name__ == "__main__":
    run_tests(globals())
