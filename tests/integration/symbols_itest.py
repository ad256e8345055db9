# SPDX-License-Identifier: Apache-2.0
"""nightbook symbols: the masters fetched, refused, kept, and asked; against the look-alike, a TLS server with its own CA, and
servers that send anything but a master file. Everything on loopback and in a directory of its own."""
import contextlib
import http.server
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nb

EUREX, CME, INDEX = "fo_eurex_code.mst", "fo_cme_code.mst", "fo_idx_code_mts.mst"
FILES = (EUREX, CME, INDEX)

# Rows of KIS's own files: REAL ones of the facts, and one of each other kind.
EUREX_REAL = "5B01610A41KR4B016AA412C 202610 1,097.5".ljust(62) + "201097.50 2001     " + "KOSPI200".ljust(40)
CME_REAL = "1A01612   KR4A016C0004F 202612".ljust(62) + " 00000.0012001     " + "KOSPI200".ljust(40)
CME_SPREAD = "2D0161201 KR4D01612016SP 2612-2703".ljust(62) + " 00000.0012001     " + "KOSPI200".ljust(40)
INDEX_ROWS = """\
1|A01612|KR4A016C0004|F 202612| |00000.00|1|2001|KOSPI200
3|A06609|KR4A06690007|코스닥150F 202609| |00000.00|1|3003|KSQ150
B|A05610|KR4A056A0007|미니F 202610| |00000.00|1|2001|KOSPI200
5|B01610A51|KR4B016AA511|C 202610 1,125.0|1|01125.00| |2001|KOSPI200
L|B09FEWA49|KR4B09FEA490|위클리C 2609W4 1,120.0|3|01120.00| |2001|KOSPI200
N|BAFBZWA49|KR4BAFBZA490|위클리M C 2609W4 1,120.0|3|01120.00| |2001|KOSPI200
L|B09FCW945|KR4B09FC9450|위클리C 2609W1   945.0|2|00945.00| |2001|KOSPI200
S|CAK48W120|KR4CAK481202|코스닥위클리M P 2609W4 1,200|3|01200.00| |3003|KSQ150
"""


def weekly_row(strike):
    """A put of a Thursday weekly, in bytes: the Korean name is wider in characters than in columns."""
    name = f"위클리P 2609W4 {strike:7,.1f}".encode("cp949").ljust(40)
    return b"M" + f"C09FEW{strike:03d}".encode() + b"KR4C09FEA499" + name + b"3" + f"{strike:08.2f} 2001     ".encode() + \
        b"KOSPI200".ljust(40)


def eurex(count=20):
    return b"\n".join([EUREX_REAL.encode(), *(weekly_row(500 + i) for i in range(count))]) + b"\n"


def masters(count=20):
    return {EUREX: eurex(count), CME: f"{CME_REAL}\n{CME_SPREAD}\n".encode(), INDEX: INDEX_ROWS.encode("cp949")}


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="nb-symbols-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def web(answers, tls=None):
    """Serve {file name: bytes | HTTP status} under /common/master/; the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path.removeprefix("/common/master/"), 404)
            self.send_response(200 if isinstance(answer, bytes) else answer)
            body = answer if isinstance(answer, bytes) else b"<html>no</html>"
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/common/master"
    finally:
        server.shutdown()
        server.server_close()


def run(*arguments, expect=0, **kw):
    done = subprocess.run([nb.PROGRAM, "symbols", *arguments], capture_output=True, timeout=60, **kw)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == expect, f"{arguments}: exit code {done.returncode} instead of {expect}\n{out}{err}"
    return out, err


def kept(directory):
    return {name: open(os.path.join(directory, name), "rb").read() for name in sorted(os.listdir(directory))}


def filled(directory, count=20):
    """The store, with whole files."""
    with web({f"{n}.zip": zipped(n, c) for n, c in masters(count).items()}) as url:
        run("update", "--dir", directory, "--from", url)
    assert sorted(kept(directory)) == sorted(f"{n}.zip" for n in FILES)
    return kept(directory)


def rows(*arguments, expect=0):
    return [json.loads(line) for line in run(*arguments, "--json", expect=expect)[0].splitlines()]


def test_the_look_alikes_own_files_then_offline():
    with folder() as store:
        with nb.Server("sim", "--at", "18:00") as sim:
            out, err = run("update", "--dir", store, "--from", f"http://127.0.0.1:{sim.port}/common/master/")
            assert not err and [line.split()[0] for line in out.splitlines()] == list(FILES), (out, err)
        everything = rows("list", "--dir", store)
        assert len(everything) > 500 and len({row["code"] for row in everything}) == len(everything)
        assert all(row["night"] and row["day"] for row in everything)
        puts = rows("list", "--dir", store, "--product", "thu", "--right", "put")
        assert puts and all(row["product"] == "thu" and row["right"] == "put" for row in puts)
        expiry = puts[0]["expiry"]
        assert rows("list", "--dir", store, "--product", "thu", "--right", "put", "--expiry", expiry.lower()) == puts
        found = rows("find", "--dir", store, "위클리", "풋", "1120")
        assert {row["product"] for row in found} == {"thu", "mon"} and all(row["strike"] == 1120 for row in found)
        shown = rows("show", "--dir", store, found[0]["code"])
        assert shown == [found[0]]
        text, _ = run("show", "--dir", store, found[0]["code"])
        assert "H0EUASP0" in text and "H0IOASP0" in text and "위클리" in text


def test_real_rows():
    with folder() as store:
        filled(store)
        row, = rows("show", "--dir", store, "B01610A41")
        assert row == {
            "code": "B01610A41", "name": "C 202610 1,097.5", "product": "kospi200", "right": "call", "expiry": "202610",
            "last_day": "2026-10-08", "last_day_is_sure": True, "strike": 1097.5, "money": "itm", "multiplier_krw": 250000,
            "tick": "0.01 below 10, else 0.05", "night": True, "day": False, "standard_code": "KR4B016AA412",
            "underlying": "KOSPI200", "underlying_code": "2001", "kind": "5", "month_class": None}
        future, = rows("show", "--dir", store, "A01612")
        assert (future["right"], future["strike"], future["tick"]) == ("future", None, "0.05")
        assert (future["night"], future["day"], future["month_class"]) == (True, True, "1")
        spread, = rows("show", "--dir", store, "D0161201")
        assert (spread["right"], spread["expiry"], spread["last_day"], spread["multiplier_krw"]) == ("spread", None, None, None)
        weekly, = rows("find", "--dir", store, "위클리콜1120", "월")
        assert (weekly["code"], weekly["last_day"], weekly["night"]) == ("BAFBZWA49", "2026-09-28", False)
        assert rows("find", "--dir", store, "목", "945")[0]["last_day"] == "2026-09-03"
        assert rows("find", "--dir", store, "코스닥위클리M")[0]["multiplier_krw"] == 10000
        # a code in two files is one row; the night's
        assert [row["code"] for row in rows("list", "--dir", store)].count("A01612") == 1


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_a_table_with_korean_is_aligned():
    with folder() as store:
        filled(store)
        head, *lines = run("list", "--dir", store)[0].splitlines()
        assert head.split() == ["CODE", "NAME", "PRODUCT", "EXPIRY", "LAST", "DAY", "RIGHT", "STRIKE", "MONEY", "SESSIONS"]
        column = head.index("PRODUCT")
        assert len(lines) == 30
        for line in lines:
            product = next(word for word in line.split() if word in
                           ("kospi200", "thu", "mon", "kosdaq150", "other", "mini-future", "kosdaq150-future"))
            assert width(line[:line.index(f" {product} ") + 1]) == column, line


def test_nothing_found_tells_what_is_near():
    with folder() as store:
        filled(store)
        _, err = run("show", "--dir", store, "B01610A14", expect=64)
        assert "NB_E_NOT_FOUND" in err and "near: B01610A41" in err, err
        _, err = run("find", "--dir", store, "1A01612", expect=64)
        assert "near: A01612" in err, err
        _, err = run("find", "--dir", store, "위클리", "풋", "531.5", expect=64)
        assert "without 531.5" in err and "C09FEW519" in err, err
        _, err = run("list", "--dir", store, "--product", "mini", expect=64)
        assert "these filters" in err, err
        _, err = run("find", "--dir", store, "1120", "--product", "mini", expect=64)
        assert "no code fits 1120 and the filters" in err, err
        out, err = run("show", "--dir", store, "A01612", "NOSUCH1", expect=64)
        assert out.startswith("A01612") and "NOSUCH1" in err


def test_arguments_are_explained():
    with folder() as store:
        for arguments, words in (([], "update, list, show or find"), (["fetch"], "fetch: update"), (["find"], "needs words"),
                                 (["show"], "needs a code"), (["list", "call"], "takes no words"),
                                 (["list", "--from", "x"], "go with update"), (["show", "X", "--right", "put"], "list and find"),
                                 (["list", "--right", "up"], "call, put"), (["list", "--product", "kospi"], "one of kospi200"),
                                 (["update", "--json"], "--json goes"), (["update", "--from", "nosuch.zip"], "known by its name"),
                                 (["update", "--from", ""], "known by its name"),
                                 (["update", "--from", "http://download.example/x"], "plain http"),
                                 (["update", "--from", "ftp://127.0.0.1/x"], "")):
            _, err = run(*arguments, "--dir", store, expect=64)
            assert words in err, (arguments, err)
        _, err = run("list", "--dir", os.path.join(store, "none"), expect=64)
        assert "nightbook symbols update" in err


def test_a_broken_file_is_refused_and_the_last_good_copy_stays():
    good = zipped(EUREX, eurex())
    broken = {
        "truncated zip": (good[:len(good) // 2], 65),
        "truncated text": (zipped(EUREX, eurex()[:-100]), 65),
        "garbage": (os.urandom(5000), 65),
        "empty": (b"", 65),
        "a page": (b"<html><body>maintenance</body></html>", 65),
        "empty zip": (zipped(EUREX, b""), 65),
        "another file": (zipped(EUREX, masters()[CME]), 65),
        "not cp949": (zipped(EUREX, eurex().replace(weekly_row(500)[22:28], b"\xff\xff\xff\xff\xff\xff")), 65),
        "shifted by characters": (zipped(EUREX, eurex().decode("cp949").encode()), 65),
        "bomb": (zipped(EUREX, b" " * (65 << 20)), 65),
        "too large": (b"PK" + bytes(17 << 20), None),
        "missing": (404, 76),
        "unwell": (500, 76),
    }
    with folder() as store:
        before = filled(store)
        for name, (answer, code) in broken.items():
            files = {f"{n}.zip": zipped(n, c) for n, c in masters().items()}
            with web({**files, f"{EUREX}.zip": answer}) as url:
                done = subprocess.run([nb.PROGRAM, "symbols", "update", "--dir", store, "--from", url], capture_output=True,
                                      timeout=60)
            err = done.stderr.decode()
            assert done.returncode == code or (code is None and done.returncode > 0), (name, done.returncode, err)
            assert EUREX in err and "copy that is kept stays: 21 codes" in err, (name, err)
            assert kept(store)[f"{EUREX}.zip"] == before[f"{EUREX}.zip"], name
            assert len(done.stdout.splitlines()) == 2, (name, done.stdout)  # the other two are taken
            assert sorted(kept(store)) == sorted(f"{n}.zip" for n in FILES), name  # nothing is left lying about
        assert len(rows("list", "--dir", store)) == 30


def test_half_of_the_codes_gone_is_suspicious():
    with folder() as store:
        before = filled(store, 99)
        half = {f"{n}.zip": zipped(n, c) for n, c in masters(49).items()}
        less = {f"{n}.zip": zipped(n, c) for n, c in masters(48).items()}
        with web(less) as url:
            out, err = run("update", "--dir", store, "--from", url, expect=65)
            assert "49 codes, less than half of the 100 kept" in err and "--force" in err, err
            assert kept(store)[f"{EUREX}.zip"] == before[f"{EUREX}.zip"]
        with web(half) as url:
            out, _ = run("update", "--dir", store, "--from", url)
            assert "50 codes, before 100" in out
        with web({f"{n}.zip": zipped(n, c) for n, c in masters(1).items()}) as url:
            run("update", "--dir", store, "--from", url, "--force")
        assert kept(store)[f"{EUREX}.zip"] == zipped(EUREX, eurex(1))


def test_from_files_and_directories():
    with folder() as store, folder() as place:
        def put(name, content):
            path = os.path.join(place, name)
            with open(path, "wb") as file:
                file.write(content)
            return path
        plain = put(EUREX, eurex())
        out, _ = run("update", "--dir", store, "--from", plain)
        assert "21 codes" in out and len(kept(store)) == 1
        with zipfile.ZipFile(os.path.join(store, f"{EUREX}.zip")) as archive:
            assert archive.read(EUREX) == eurex()
        again = put("fo_cme_code.mst (1).zip", zipped(CME, masters()[CME]))
        run("update", "--dir", store, "--from", again)
        os.remove(again)
        row, = rows("show", "--dir", store, "A01612")
        assert row["night"] is True and row["day"] is None  # the day's file is not here
        put(f"{INDEX}.zip", zipped(INDEX, masters()[INDEX]))
        out, _ = run("update", "--dir", store, "--from", place)
        assert "fo_eurex" in out and "fo_idx" in out and "fo_cme" not in out
        assert len(kept(store)) == 3
        _, err = run("update", "--dir", store, "--from", put("codes.zip", b"PK"), expect=64)
        assert "known by its name" in err
        _, err = run("update", "--dir", store, "--from", put("fo_cme_code.zip", zipped(EUREX, eurex())), expect=65)
        assert "there is no future in it" in err
        with folder() as empty:
            _, err = run("update", "--dir", store, "--from", empty, expect=64)
            assert "is in it" in err


def test_tls_is_verified():
    with folder() as place, folder() as store:
        ca, key, request, certificate = (os.path.join(place, name) for name in ("ca.pem", "key.pem", "csr.pem", "cert.pem"))

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{place}/ca-key.pem", "-out", ca, "-subj", "/CN=test CA",
                "-days", "2")
        for address, works in (("127.0.0.1", True), ("127.0.0.9", False)):
            with open(f"{place}/names", "w") as file:
                file.write(f"subjectAltName=IP:{address}\n")
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=test")
            openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", f"{place}/ca-key.pem", "-CAcreateserial", "-out",
                    certificate, "-days", "2", "-extfile", f"{place}/names")
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate, key)
            with web({f"{n}.zip": zipped(n, c) for n, c in masters().items()}, tls) as url:
                _, err = run("update", "--dir", store, "--from", url, expect=76)
                assert "--from FILE|DIR" in err and "curl -O" in err and "authority" in err, err
                assert not works or os.listdir(store) == []
                out, err = run("update", "--dir", store, "--from", url, "--ca-file", ca, expect=0 if works else 76)
                assert works or "its certificate is" in err, err
        assert len(kept(store)) == 3


def test_a_copy_gone_bad_is_left_out_by_name():
    with folder() as store:
        filled(store)
        path = os.path.join(store, f"{EUREX}.zip")
        with open(path, "r+b") as file:
            file.truncate(300)
        out, err = run("list", "--dir", store)
        assert EUREX in err and "nightbook symbols update" in err, err
        assert len(out.splitlines()) == 1 + 9
        # a copy that cannot be read does not count: any whole file is better
        with web({f"{n}.zip": zipped(n, c) for n, c in masters(1).items()}) as url:
            run("update", "--dir", store, "--from", url)


def test_old_files_are_told():
    with folder() as store:
        filled(store)
        assert run("show", "--dir", store, "A01612")[1] == ""
        for name in os.listdir(store):
            old = time.time() - 9 * 86400
            os.utime(os.path.join(store, name), (old, old))
        assert "9 days old" in run("show", "--dir", store, "A01612")[1]


def test_the_places_of_the_desktop():
    with folder() as home:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")} | {"HOME": home}
        with web({f"{n}.zip": zipped(n, c) for n, c in masters().items()}) as url:
            run("update", "--from", url, env=environment)
        assert len(os.listdir(f"{home}/.local/share/nightbook/masters")) == 3
        assert run("show", "A01612", env=environment)[0].startswith("A01612")
        moved = environment | {"XDG_DATA_HOME": f"{home}/data"}
        run("list", env=moved, expect=64)


def test_the_settings_of_the_configuration():
    with folder() as place, web({f"{n}.zip": zipped(n, c) for n, c in masters().items()}) as url:
        path, store = os.path.join(place, "config.yaml"), os.path.join(place, "kept")

        def configure(text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o600)
        configure(f"feed: kis\nmasters: {url}\nmaster_dir: {store}\n")  # no appkey: none is needed here
        run("update", "--config", path)
        assert len(os.listdir(store)) == 3
        assert run("show", "A01612", "--config", path)[0].startswith("A01612")
        configure(f"masters: none\nmaster_dir: {store}\n")
        _, err = run("update", "--config", path, expect=78)
        assert "config.yaml:1" in err and "--from" in err, err
        configure("masterz: none\n")
        _, err = run("list", "--config", path, expect=78)
        assert "masterz" in err, err


def test_a_reader_that_has_enough():
    with folder() as store:
        filled(store, 400)
        for _ in range(5):
            process = subprocess.Popen([nb.PROGRAM, "symbols", "list", "--dir", store, "--json"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            process.stdout.read(10)
            process.stdout.close()
            err = process.stderr.read()
            assert process.wait(10) == 0 and err == b"", (process.returncode, err)


if __name__ == "__main__":
    nb.run_tests(globals())
