#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nightbook serve` records: what a live feed sent and nothing secret; where and when it does; and what a user sees when
the disk is full."""
import json
import os
import re
import subprocess
import tempfile
import time

import journal
from live import HTS_ID, SECRET, Home, Relay, live_server, messages
from nb import PROGRAM, Server, run_tests, wait_for
from rawws import RawWs

APPKEY = f"PSrecording{os.getpid():025d}"
SETTINGS = ("journal", "journal-sync", "segment-size", "segment-time", "pack-level", "keep-nights", "keep-bytes")


def run(home, *args, within=15):
    """Run a command that is expected to end by itself: (exit code, stdout, stderr)."""
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=within, check=False,
                          env=home.environment(), cwd=home.path)
    return done.returncode, done.stdout, done.stderr


def recorder(server):
    return server.json("/v1/status")["recorder"]


def secrets_of(relay):
    """What must never be on disk, as it went over the wire: approval keys, iv and key of every answer."""
    found = {APPKEY, SECRET, SECRET[:20], HTS_ID}
    for row in relay.connections:
        if row["kind"] == "approval":
            found |= set(re.findall(r'"approval_key"\s*:\s*"([^"]+)"', row["bytes"].decode()))
        elif row["kind"] == "link":
            for text, _ in messages(bytes(row["bytes"])):
                if text[:1] == b"{":
                    output = json.loads(text).get("body", {}).get("output", {})
                    found |= {output[name] for name in ("iv", "key") if name in output}
    return found


def test_a_live_feed_is_recorded_whole_and_without_secrets():
    with Home() as home, Server("sim", "--rate", "600") as sim:
        relay = Relay(sim)
        home.live(relay.address, keys=((APPKEY, SECRET),),
                  more=f"pin: ['H0EUCNI0:{HTS_ID}']\nwindow: [nearest:8]\n")
        directory = os.path.join(home.path, "nights")
        with live_server(home, "--journal", directory, "--segment-time", "2") as server:
            assert f"recording to {directory}" in "".join(server.log), server.log
            frames = lambda: server.json("/v1/status")["counters"]["feed"]["feed_frames_total"]
            wait_for("frames", lambda: frames() > 300, 20)
            relay.cut()
            wait_for("the link is back", lambda: relay.count("link") >= 2 and server.json("/v1/status")["feed"]["is_up"], 20)
            before = frames()
            wait_for("more frames", lambda: frames() > before + 300, 20)
            view = recorder(server)
            assert view["state"] == "recording" and view["directory"] == directory and view["lost_lines"] == 0, view
        sent = [[text for text, _ in messages(bytes(row["bytes"])) if text[:1] in b"01"]
                for row in relay.connections if row["kind"] == "link"]
        found = journal.all_lines(directory)
        recorded = journal.of_kind(found, "frame")
        links = sorted({line.link for line in recorded})
        assert len(links) == len(sent) == 2, (links, len(sent))
        for link, frames_sent in zip(links, sent):
            mine = [line.payload for line in recorded if line.link == link]
            # the relay may have handed over what nightbook no longer read when it was cut or ended
            assert mine == frames_sent[:len(mine)] and len(mine) >= 300, (link, len(mine), len(frames_sent))
        answers = [line.mark() for line in journal.of_kind(found, "answer")]
        assert any(answer["msg_cd"] == "OPSP0000" for answer in answers)
        assert any(answer["tr_id"] == "H0EUCNI0" and answer["tr_key"] == "***" for answer in answers), answers[:3]
        gaps = [line.mark() for line in journal.of_kind(found, "gap")]
        assert [gap["is_rest"] for gap in gaps] == [False, True], gaps
        secrets = secrets_of(relay)
        assert len(secrets) > 8, "the relay saw approval keys, iv and key"
        paths = list(home.files())
        assert sum(path.startswith(directory) for path in paths) >= 3, paths
        for path in paths:
            if path.startswith(directory):
                data = journal.content(path) if ".log" in path else open(path, "rb").read()
                for secret in secrets:
                    assert secret.encode() not in data, f"{path} holds {secret[:6]}…"
        journal.command("verify", directory)
        relay.close()


def test_only_live_feeds_are_recorded_by_themselves():
    with Home() as home, tempfile.TemporaryDirectory() as place:
        with Server("serve", environment=home.environment(), cwd=home.path) as server:
            assert "nothing is recorded: --journal DIR would" in "".join(server.log)
            assert recorder(server)["state"] == "off"
        home.write(f"journal: {place}/nights\n")  # a line of the file is for live nights
        with Server("serve", environment=home.environment(), cwd=home.path) as server:
            assert recorder(server)["state"] == "off"
        assert os.listdir(place) == []
        with Server("serve", "--journal", f"{place}/played", environment=home.environment(), cwd=home.path) as server:
            assert recorder(server)["state"] == "recording"
            wait_for("lines", lambda: recorder(server)["lines"] > 100)
            metrics = server.http("GET", "/metrics")[2].decode()
            assert "\nnightbook_journal_recording 1\n" in metrics
        assert journal.of_kind(journal.all_lines(f"{place}/played"), "start")[0].mark()["feed"] == "sim"


def test_directories_that_are_not_for_it():
    with Home() as home, tempfile.TemporaryDirectory() as place:
        for name, content in (("live", '{"nightbook_journal":1,"feed":"live"}\n'),
                              ("newer", '{"nightbook_journal":2,"feed":"sim"}\n')):
            os.mkdir(f"{place}/{name}", 0o700)
            with open(f"{place}/{name}/journal.json", "w", encoding="utf-8") as file:
                file.write(content)
        code, _, error = run(home, "serve", "--listen", "127.0.0.1:0", "--journal", f"{place}/live")
        assert code == 78 and "live" in error and place in error, (code, error)
        code, _, error = run(home, "serve", "--listen", "127.0.0.1:0", "--journal", f"{place}/newer")
        assert code == 65 and "newer" in error, (code, error)
        assert sorted(os.listdir(f"{place}/live")) in (["journal.json"], ["journal.json", "lock"])
        with Server("serve", "--journal", f"{place}/mine", environment=home.environment(), cwd=home.path) as server:
            code, _, error = run(home, "serve", "--listen", "127.0.0.1:0", "--journal", f"{place}/mine")
            assert code == 75 and str(server.process.pid) in error and "--journal" in error, (code, error)
        code, _, error = run(home, "serve", "--listen", "127.0.0.1:0", "--journal", "")
        assert code == 64, (code, error)


def test_settings_are_shown():
    with Home() as home, Server("sim") as sim:
        home.live(f"{sim.host}:{sim.port}", keys=((APPKEY, SECRET),))
        code, text, _ = run(home, "config", "--json")
        assert code == 0, text
        shown = json.loads(text)
        for name in SETTINGS:
            assert name in text or name.replace("-", "_") in text, (name, shown)
        home.write("feed: kis\napp_key: %s\napp_secret: %s\n" % (APPKEY, SECRET))
        _, text, _ = run(home, "config")
        assert os.path.join(home.path, ".local/share/nightbook/journal") in text, text


def mounted(place):
    """A disk of 6 MiB; False when we may not mount one."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], capture_output=True, check=False)
    return done.returncode == 0


def test_a_full_disk_as_its_user_meets_it():
    place = tempfile.mkdtemp(prefix="nightbook-disk-")
    if not mounted(place):
        print("SKIPPED test_a_full_disk_as_its_user_meets_it: mounting a tmpfs needs root", flush=True)
        os.rmdir(place)
        return
    try:
        full_disk(place)
    finally:
        subprocess.run(["umount", place], check=True)
        os.rmdir(place)


def full_disk(place):
    with Home() as home:
        told, directory, ballast = f"{home.path}/told", f"{place}/nights", f"{place}/ballast"
        with open(ballast, "wb") as file:
            file.write(b"x" * (4 << 20))
        with Server("serve", "--journal", directory, "--rate", "4000", "--pack-level", "0", "--notify", f"cat >> {told}",
                    environment=home.environment(), cwd=home.path) as server:
            events = lambda: [json.loads(line) for line in open(told, encoding="utf-8")] if os.path.exists(told) else []
            named = lambda name: [row for row in events() if row["event"] == name]
            client = RawWs(server)
            client.ask("H0EUASP0", "*")
            wait_for("the disk is full", lambda: recorder(server)["state"] == "NOT RECORDING", 20)
            view = recorder(server)
            assert "No space left" in view["reason"] or "full" in view["reason"], view
            assert len(client.frames(0.5)) > 100, "clients are served all the same"
            assert b'class="alarm">NOT RECORDING' in server.http("GET", "/")[2]
            metrics = server.http("GET", "/metrics")[2].decode()
            assert "\nnightbook_journal_recording 0\n" in metrics and "\nnightbook_journal_not_recording 1\n" in metrics
            wait_for("notify", lambda: named("not_recording"))
            assert any("NOT RECORDING" in line for line in server.log)
            os.unlink(ballast)
            wait_for("recording again by itself", lambda: recorder(server)["state"] == "recording", 30)
            wait_for("notify", lambda: named("recording"))
            lines = recorder(server)["lines"]
            wait_for("lines again", lambda: recorder(server)["lines"] > lines + 100)
            view = recorder(server)
            assert view["holes"] >= 1 and view["lost_lines"] > 100, view
            client.close()
        found = journal.all_lines(directory)
        holes = [line.mark() for line in journal.of_kind(found, "disk")]
        assert holes and sum(hole["lost_lines"] for hole in holes) == view["lost_lines"], (holes, view)
        assert all(hole["since_ns"] > 0 and hole["reason"] for hole in holes), holes
        journal.command("verify", directory)


if __name__ == "__main__":
    run_tests(globals())
