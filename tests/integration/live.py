# SPDX-License-Identifier: Apache-2.0
"""What tests of the live feed share: `serve --feed kis` with a home of its own, pointed at a look-alike through a relay
that counts connections, keeps every byte that went to nightbook, and can cut."""
import asyncio
import http.server
import os
import shutil
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from nb import Server

APPKEY = f"PSplantedAPPKEYplantedAPPKEY{os.getpid():08d}"  # tests run side by side, and an appkey has one holder
SECRET = "plantedSECRET/" + "s3cr3tS3CR3T+" * 12 + "=="
HTS_ID = "plantedHTS"


class Relay:
    """TCP between nightbook and a look-alike. `connections` has one row each: kind ("approval", "link", "other"), begin,
    end and (for links) all bytes that were handed to nightbook, with `times`: (bytes so far, when)."""

    def __init__(self, server):
        self.target = (server.host, server.port)
        self.connections, self.is_refusing = [], False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(5)

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.host, self.port = server.sockets[0].getsockname()
        self.address = f"{self.host}:{self.port}"
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _accept(self, reader, writer):
        row = {"kind": "refused", "begin": time.time(), "end": None, "bytes": bytearray(), "times": [],
               "writer": writer}
        self.connections.append(row)
        try:
            if self.is_refusing:
                return
            head = await reader.readuntil(b"\r\n\r\n")
            row["kind"] = "approval" if b"/oauth2/Approval" in head else \
                "link" if b"upgrade: websocket" in head.lower() else "other"
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            far_writer.write(head)
            await asyncio.wait([asyncio.ensure_future(self._pump(reader, far_writer)),
                                asyncio.ensure_future(self._pump(far_reader, writer, row))],
                               return_when=asyncio.FIRST_COMPLETED)
            far_writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            row["end"] = time.time()
            writer.close()

    @staticmethod
    async def _pump(reader, writer, row=None):
        try:
            while data := await reader.read(65536):
                if row is not None:
                    row["bytes"] += data
                    row["times"].append((len(row["bytes"]), time.time()))
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def count(self, kind):
        return sum(row["kind"] == kind for row in self.connections)

    def cut(self):
        """End every connection now."""
        for row in self.connections:
            if row["end"] is None:
                self._loop.call_soon_threadsafe(row["writer"].transport.abort)

    def close(self):
        self.cut()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)


def messages(data):
    """The text messages in the bytes that a WebSocket server sent after its 101, fragments joined, each with where it ends;
    the unfinished rest is left."""
    at, out, parts = data.find(b"\r\n\r\n") + 4, [], b""
    while at + 2 <= len(data):
        size, begin = data[at + 1] & 0x7F, at + 2
        if size == 126:
            if begin + 2 > len(data):
                break
            size, begin = struct.unpack(">H", data[begin:begin + 2])[0], begin + 2
        elif size == 127:
            if begin + 8 > len(data):
                break
            size, begin = struct.unpack(">Q", data[begin:begin + 8])[0], begin + 8
        if begin + size > len(data):
            break
        opcode, is_final = data[at] & 15, data[at] & 0x80
        if opcode in (0, 1):
            parts += data[begin:begin + size]
            if is_final:
                out.append((bytes(parts), begin + size))
                parts = b""
        at = begin + size
    return out


class Home:
    """A user's home: XDG folders, nightbook's own file. Every path is below `path`."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="nightbook-live-")
        self.config = os.path.join(self.path, ".config/nightbook/config.yaml")
        os.makedirs(os.path.dirname(self.config))

    def write(self, text, mode=0o600):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.config, mode)

    def live(self, address, more="", keys=((APPKEY, SECRET),)):
        """A live configuration whose KIS is at `address`."""
        rows = "".join(f"  - name: key{i}\n    app_key: {key}\n    app_secret: {secret}\n    hts_id: {HTS_ID}\n"
                       for i, (key, secret) in enumerate(keys))
        self.write(f"feed: kis\nops: ws://{address}\nprod: http://{address}\nmasters: http://{address}/common/master\n"
                   f"hours: always\nappkeys:\n{rows}{more}")

    def environment(self):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("KIS_", "XDG_", "JOURNAL_"))}
        return clean | {"HOME": self.path}

    def files(self):
        for folder, _, names in os.walk(self.path):
            for name in names:
                yield os.path.join(folder, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class TlsFront:
    """A look-alike's REST side behind TLS, with an authority of its own made for this run."""

    def __init__(self, home, sim):
        self.ca_file, key = f"{home.path}/ca.pem", f"{home.path}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.ca_file],
                       check=True, capture_output=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, content):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                self.answer(404, b"{}")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = urllib.request.Request(f"http://{sim.host}:{sim.port}{self.path}", body,
                                                 {"Content-Type": "application/json"})
                try:
                    with urllib.request.urlopen(request) as answer:
                        self.answer(answer.status, answer.read())
                except urllib.error.HTTPError as refusal:
                    self.answer(refusal.code, refusal.read())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def live_server(home, *args):
    return Server("serve", *args, environment=home.environment(), cwd=home.path)
