#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration as a user has it: files, environment, flags, modes; what wins, what is refused and in which words; and
that no secret is ever printed."""
import json
import os
import re
import shutil
import subprocess
import tempfile

from nb import PROGRAM, Server, run_tests, wait_for

KEY = "PSconfigAPPKEYconfigAPPKEYconfigAPP0"
SECRET = "configSECRET/" + "c0nf1gS3CR3T+" * 12 + "=="
HTS_ID = "configHTS"
DEVLP = f"""# 실전투자
my_app: "{KEY}D"
my_sec: "{SECRET}"
paper_app: "모의투자 앱키"
my_htsid: "{HTS_ID}"
my_prod: 03
ops: "ws://127.0.0.1:31000"
prod: "http://127.0.0.1:31000"
my_own: [1, {{a: b}}]
"""


class Home:
    """A user's home, and what `nightbook` says in it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="nightbook-config-")
        self.config = f"{self.path}/.config/nightbook/config.yaml"
        self.devlp = f"{self.path}/KIS/config/kis_devlp.yaml"
        self.variables = {}

    def write(self, path, text, mode=0o600):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)

    def environment(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("KIS_", "XDG_", "JOURNAL_"))}
        return clean | {"HOME": self.path} | self.variables

    def run(self, *args):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20, check=False,
                              env=self.environment(), cwd=self.path)
        for secret in (KEY, SECRET, SECRET[:16], HTS_ID, "client-secret"):
            assert secret not in done.stdout + done.stderr, (args, done.stdout, done.stderr)
        return done

    def settings(self, *args):
        """{name: (value, origin)}, appkeys, of `nightbook config --json`."""
        done = self.run("config", "--json", *args)
        assert done.returncode == 0, done
        shown = json.loads(done.stdout)
        return {row["name"]: (row["value"], row["origin"]) for row in shown["settings"]}, shown["appkeys"]

    def refused(self, *args, code=78):
        """What `serve` and `config` say when they do not start: the same, and nothing is served."""
        words = []
        for command in ("serve", "config"):
            done = self.run(command, *args)
            assert done.returncode == code, (command, done.returncode, done.stderr)
            assert "listening" not in done.stderr and "SIMULATED" not in done.stderr, done.stderr
            words.append(re.sub(r"nightbook: \w+: ", "", done.stderr.splitlines()[0]))
        assert words[0] == words[1], words
        return words[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def test_without_any_file_the_defaults_are_shown():
    with Home() as home:
        settings, appkeys = home.settings()
        assert settings["feed"] == ("sim", "default") and settings["listen"] == ("127.0.0.1:31000", "default")
        assert settings["config"] == (home.config, "default, not there")
        assert home.settings("--seed", "123456789012345678")[0]["seed"][0] == 123456789012345678
        assert settings["on-loss"][0] == "close:30" and settings["pin"] == ([], "default") and appkeys == []
        assert settings["state-dir"][0] == f"{home.path}/.local/state/nightbook"


def test_a_file_to_begin_with():
    with Home() as home:
        assert "config --init" in home.refused("--feed", "kis")
        done = home.run("config", "--init")
        assert done.returncode == 0 and home.config in done.stdout, done
        assert os.stat(home.config).st_mode & 0o777 == 0o600
        with open(home.config, encoding="utf-8") as file:
            text = file.read()
        again = home.run("config", "--init")
        assert again.returncode == 78 and "left as it is" in again.stderr, again
        other = f"{home.path}/other.yaml"
        os.symlink(f"{home.path}/nowhere", other)  # a link is not followed
        assert home.run("config", "--init", other).returncode == 78
        assert home.run("config", "--init", f"{home.path}/new/place/c.yaml").returncode == 0
        assert home.run("config", "--init", "/proc/none/c.yaml").returncode == 71
        assert all(origin.startswith("default") for _, origin in home.settings()[0].values())
        # every # that is one: the file is taken, and says what the defaults are
        defaults, _ = home.settings()
        lines = [line[1:] for line in text.splitlines()
                 if re.match(r"#[a-z]", line) and not re.match(r"#(app_|hts_|appkeys|client_key|holidays|fault_script)", line)]
        home.write(home.config, "\n".join(lines) + "\n")
        settings, _ = home.settings("--keys", "3")
        for line in lines:
            name = line.split(":")[0].replace("_", "-")
            assert settings[name][1].startswith(home.config) or name == "keys", (name, settings[name])
            if line.split(": ", 1)[1] == str(defaults[name][0]):
                assert settings[name][0] == defaults[name][0]


def test_what_serve_would_refuse_is_refused_here_too():
    with Home() as home:
        for line, words in (("listen: 0.0.0.0:31000", "listen: "), ('client_key: ["a b"]', "client_key: "),
                            ("holidays: /nonexist", "holidays: "), ("client_key_file: /nonexist", "client_key_file: ")):
            home.write(home.config, line + "\n")
            for command in ("config", "serve"):
                done = home.run(command)
                assert done.returncode == 78 and f"config.yaml:1: {words}" in done.stderr, (line, done)


def test_places():
    with Home() as home:
        home.write(home.config, "log: json\n")
        other = f"{home.path}/xdg/nightbook/config.yaml"
        home.write(other, "hours: both\n")
        assert home.settings()[0]["log"] == ("json", f"{home.config}:1")
        home.variables = {"XDG_CONFIG_HOME": f"{home.path}/xdg"}
        settings, _ = home.settings()
        assert settings["hours"] == ("both", f"{other}:1") and settings["log"][1] == "default"
        settings, _ = home.settings("--config", home.config)
        assert settings["log"][0] == "json" and settings["hours"][1] == "default"
        assert settings["config"] == (home.config, "flag --config")
        words = home.refused("--config", f"{home.path}/missing.yaml")
        assert "missing.yaml" in words and "No such file" in words, words
        assert home.path in home.refused("--config", home.path)  # a folder
        home.variables = {}
        os.remove(home.config)
        os.symlink(f"{home.path}/gone", home.config)  # it was there once: no reason for defaults
        assert "No such file" in home.refused()


def test_what_wins():
    with Home() as home:
        home.write(home.devlp, DEVLP)
        settings, appkeys = home.settings("--feed", "kis")
        assert appkeys[0]["origin"] == f"{home.devlp}:2" and appkeys[0]["app_key"] == "PS…(37)", appkeys
        assert settings["ops"] == ("ws://ops.koreainvestment.com:21000", "default")  # never KIS's file's
        assert settings["prod"][1] == "default" and settings["listen"][0] == "127.0.0.1:21000"
        home.write(home.config, f"feed: kis\nhours: day\napp_key: {KEY}\napp_secret: {SECRET}\ncusttype: B\n")
        settings, appkeys = home.settings()
        assert appkeys == [{"name": "main", "app_key": "PS…(36)", "app_secret": f"…({len(SECRET)})", "hts_id": None,
                            "custtype": "B", "origin": f"{home.config}:3"}], appkeys
        for name in ("KIS_APP_SECRET", "KIS_SECRET_KEY", "KIS_SECRET"):
            home.variables = {"KIS_APP_KEY": KEY + "E", name: SECRET}
            settings, appkeys = home.settings("--hours", "always")
            assert [row["origin"] for row in appkeys] == ["environment KIS_APP_KEY"], appkeys
            assert settings["hours"] == ("always", "flag --hours")
        home.variables = {"KIS_APP_KEY": KEY}
        assert "KIS_APP_SECRET is not" in home.refused()
        assert home.settings("--feed", "sim")[0]["feed"] == ("sim", "flag --feed")  # it needs no key
        home.variables = {"KIS_APP_KEY": KEY, "KIS_SECRET": SECRET, "KIS_SECRET_KEY": SECRET + "x"}
        assert "differ" in home.refused()


def test_files_that_others_can_read():
    with Home() as home:
        home.write(home.config, f"feed: kis\napp_key: {KEY}\napp_secret: {SECRET}\n", 0o640)
        words = home.refused()
        assert "chmod 600" in words and home.config in words, words
        home.write(home.config, "feed: sim\nlog: json\n", 0o644)  # no secret in it
        assert home.settings()[0]["log"][0] == "json"
        home.write(home.config, "feed: sim\n", 0o664)  # whoever writes it says who gets the keys
        words = home.refused()
        assert "others can write it" in words and "chmod 600" in words, words
        home.write(home.config, "client_key: [client-secret]\n", 0o644)
        assert "chmod 600" in home.refused()
        home.write(home.config, "feed: kis\n", 0o644)
        home.write(home.devlp, DEVLP, 0o644)
        words = home.refused()
        assert "chmod 600" in words and home.devlp in words, words
        os.chmod(home.devlp, 0o600)
        assert home.settings()[1][0]["origin"] == f"{home.devlp}:2"


def test_broken_files_are_refused_with_a_place():
    with Home() as home:
        for text, place, word in (
                ("feed: kiss\n", "1", "sim, kis, ws://"), ("fede: kis\n", "1:1", "did you mean feed?"),
                ("feed: kis\nfeed: sim\n", "2:1", "twice"), ("feed: kis\n\thours: night\n", "2:", "YAML"),
                ("feed: sim\nhours: dusk\n", "2:8", "night|day|both|always"),
                ("a: &x 1\n", "1:1", "no setting"), ("feed: &x sim\n", "1:7", "anchors"),
                ("# \ubaa8\uc758\nlog: \uc571\n".encode("cp949"), "1:3", "not UTF-8"),
                ("pin: [nonsense!]\n", "1", "pin"), ("window: ['weird']\n", "1", "window"),
                ("on_loss: never\n", "1", "keep, close"), ("listen: here:there\n", "1", "listen"),
                ("holidays: /none/x\n", "1", "/none/x")):
            home.write(home.config, text)
            done = home.run("serve")
            words = done.stderr.splitlines()[0]
            assert done.returncode == 78 and f"config.yaml:{place}" in words and word in words, (text, done)


def test_incomplete_or_impossible_live_configurations():
    with Home() as home:
        keys = f"feed: kis\napp_key: {KEY}\napp_secret: {SECRET}\n"
        words = home.refused("--feed", "kis")
        assert "app_key" in words and "KIS_APP_KEY" in words and "config.yaml" in words, words
        for more, word in (("prod: http://192.0.2.1:9443\n", "https"), ("ops: https://x\n", "ws://"),
                           ("ops: ws://127.0.0.1:21000\n", "own listener"),
                           ("ops_address: ops.koreainvestment.com\n", "a number like"),
                           ("connects: 50\n", "10 minutes"), ("connects_window: 5\n", "10 minutes"),
                           ("slots: 42\n", "41"), ("masters: ftp://x\n", "masters")):
            home.write(home.config, keys + more)
            words = home.refused()
            assert word in words and "config.yaml:4" in words, (more, words)
        home.write(home.config, keys)
        assert "look-alike" in home.refused("--speed", "2", code=64)
        home.write(home.config, "feed: kis\n")
        home.write(home.devlp, DEVLP.replace(KEY + "D", "앱키").replace(SECRET, "앱키 시크릿"))
        words = home.refused()
        assert "not filled in: my_app, my_sec" in words, words
        home.write(home.devlp, f"my_app: ''\nmy_sec: ''\npaper_app: {KEY}\npaper_sec: {SECRET}\n")
        assert "no paper version" in home.refused()


def test_secrets_are_no_flags():
    with Home() as home:
        done = home.run("serve", "--app-key", "x")
        assert done.returncode == 64 and "seen by all" in done.stderr, done
        done = home.run("config", "--helo")
        assert done.returncode == 64 and "--help" in done.stderr, done


def test_the_file_serves():
    """feed, listener and market from the file; a flag wins."""
    with Home() as home:
        home.write(home.config, "listen: 127.0.0.1:1\nseed: 7\nclient_key: [client-secret]\nlinger: 5\n", 0o600)
        with Server("serve", environment=home.environment(), cwd=home.path) as server:
            assert server.log[0].startswith("SIMULATED listening"), server.log
            wait_for("it serves", lambda: server.http("GET", "/healthz")[0] == 200)
            assert "client-secret" not in "".join(server.log)


def test_a_log_of_json_is_json():
    with Home() as home:
        with Server("serve", "--log", "json", environment=home.environment(), cwd=home.path) as server:
            wait_for("it serves", lambda: server.http("GET", "/healthz")[0] == 200)
        for line in server.log:
            json.loads(line)


def test_a_live_process_leaves_no_core_and_names_only_hashes():
    with Home() as home, Server("sim") as sim:
        home.write(home.config, f"feed: kis\nhours: always\nops: ws://{sim.host}:{sim.port}\nmasters: none\n"
                                f"prod: http://{sim.host}:{sim.port}\nhts_id: {HTS_ID}\n"
                                f"app_key: {KEY}\napp_secret: {SECRET}\n")
        with Server("serve", environment=home.environment(), cwd=home.path) as server:
            with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as file:
                assert re.search(r"Max core file size +0 +0 ", file.read())
            if os.getuid() != 0:  # what may not be dumped belongs to root; root's own cannot be told apart
                assert os.stat(f"/proc/{server.process.pid}/status").st_uid == 0
            text = "".join(server.log)
            wait_for("the appkey is named", lambda: re.search(r"appkey main \([0-9a-f]{16}\)", "".join(server.log)))
            wait_for("the link is up", lambda: server.http("GET", "/healthz")[0] == 200)
        text = "".join(server.log)
        assert SECRET not in text and KEY not in text and HTS_ID not in text
        assert "not KIS's own address" in text and "always" in text, text


run_tests(globals())
