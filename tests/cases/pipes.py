#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`nightbook decode` in pipes: a line is not held back, a closed stdout ends it quietly, a full one does not.

    tests/cases/pipes.py PROGRAM
"""
import select
import subprocess
import sys

FRAME = (b"0|H0EUASP0|001|301V06362^190159^2.98^2.99^3.00^0.00^0.00^2.97^2.96^2.95^0.00^0.00^0^0^0^0^0^0^0^0^0^0^1^3^12"
         b"^0^0^9^21^16^0^0^0^0^16^46^5^0\n")
WAIT_S = 20


def check(is_so, words):
    if not is_so:
        sys.exit(f"FAILED: {words}")
    print(f"ok: {words}")


def start(stdout=subprocess.PIPE):
    return subprocess.Popen([sys.argv[1], "decode"], stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)


def a_line_is_not_held_back():
    process = start()
    for part in (FRAME, FRAME[:50], FRAME[50:]):
        process.stdin.write(part)
        process.stdin.flush()
        if part.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], WAIT_S)
            check(ready and process.stdout.readline().endswith(b"}\n"), "a line comes out while stdin is open")
    process.stdin.close()
    check(process.wait(WAIT_S) == 0 and process.stderr.read() == b"", "it ends with its input")


def a_closed_stdout_is_quiet():
    process = start()
    process.stdout.close()
    try:
        for _ in range(2000):
            process.stdin.write(FRAME)
        process.stdin.close()
    except BrokenPipeError:
        pass
    check(process.wait(WAIT_S) == 0 and process.stderr.read() == b"", "a closed stdout ends it quietly")


def a_full_disk_is_an_error():
    with open("/dev/full", "wb") as full:
        process = start(full)
        _, stderr = process.communicate(FRAME, WAIT_S)
    check(process.returncode == 71 and b"[NB_E_SYSTEM]" in stderr, "a stdout that is full is an error")


a_line_is_not_held_back()
a_closed_stdout_is_quiet()
a_full_disk_is_an_error()
