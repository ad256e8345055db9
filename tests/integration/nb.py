# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: start a nightbook program on a port of the kernel's, talk to it, end it."""
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("NB_PROGRAM") or sys.exit("NB_PROGRAM must name the program to test")
LONG = bool(os.environ.get("NB_LONG"))

# Whoever runs the tests may be a user of nightbook: neither their configuration nor their appkey has a part in them.
_HOME = tempfile.TemporaryDirectory(prefix="nightbook-home-")
os.environ["HOME"] = _HOME.name
for _name in [name for name in os.environ if name.startswith(("KIS_", "XDG_"))]:
    del os.environ[_name]


class Server:
    """A running `nightbook ARGS --listen 127.0.0.1:0`; its stderr is kept in `log`."""

    def __init__(self, *args, listen="127.0.0.1:0", environment=None, cwd=None):
        self.log = []
        self.ready = threading.Event()
        self.url = None
        self.process = subprocess.Popen([PROGRAM, *args, "--listen", listen], stderr=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, text=True, env=environment, cwd=cwd)
        threading.Thread(target=self._read, daemon=True).start()
        if not self.ready.wait(20) or self.url is None:
            self.process.kill()
            raise AssertionError("not ready: " + "".join(self.log))

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"listening (ws://(\S+?):(\d+))", line):
                self.url, self.host, self.port = found[1], found[2].strip("[]"), int(found[3])
                self.ready.set()
        self.ready.set()

    def http(self, method, path, body=None, headers=None, timeout=5):
        """(status, headers, body bytes)"""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, path):
        status, _, body = self.http("GET", path)
        assert status == 200, (path, status, body)
        return json.loads(body)

    def memory_kb(self):
        """Resident memory; 0 under a sanitizer, whose own shadow and quarantine would be measured."""
        if os.environ.get("NB_SANITIZE"):
            return 0
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def stop(self, expect=0, within=3.0):
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"did not end within {within} s of SIGTERM") from None
        assert code == expect, f"exit code {code}\n" + "".join(self.log[-20:])
        return time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            sys.stderr.write("".join(self.log[-30:]))
            self.process.kill()
            self.process.wait()
        else:
            self.stop()


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.02)
    return result


def run_tests(names):
    """Run the functions of a module whose names begin with test_; print and count."""
    tests = [(name, function) for name, function in names.items() if name.startswith("test_")]
    wanted = sys.argv[1:]
    passed = failed = 0
    for name, function in tests:
        if wanted and name not in wanted:
            continue
        begin = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok      {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception:  # every failure is told, the rest still runs
            failed += 1
            import traceback
            traceback.print_exc()
            print(f"FAILED  {name}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
