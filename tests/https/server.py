#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that does well and badly over TLS: server.py DIRECTORY

Makes its own authority and certificates in DIRECTORY, prints `NAME PORT` for each listener and then
`ready`. Ends when its standard input does, so that it never outlives its test.
"""
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

DIRECTORY = sys.argv[1]
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
DATE = "Sun, 22 Nov 2026 09:00:00 GMT"


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], cwd=DIRECTORY, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"openssl {' '.join(arguments)}: {done.stderr}")


def authority(name):
    openssl("req", "-x509", *EC, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj",
            f"/CN=nightbook test {name}", "-days", "2")


def certificate(name, signer, names, days="2"):
    with open(f"{DIRECTORY}/{name}.ext", "w") as file:
        file.write(f"subjectAltName={names}\n")
    openssl("req", *EC, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{signer}.pem", "-CAkey",
            f"{signer}.key", "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext", "-out",
            f"{name}.pem")


def answer(connection, status, body, *headers):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Date: {DATE}", *headers]
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def request_of(connection):
    """(method, path, the whole head, body)"""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
        if data[0] == 0x16:  # a TLS hello, answered as other plain servers do
            answer(connection, "400 Bad Request", b"plain HTTP here")
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    while len(body) < size:
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    method, path, _ = head.split(b" ", 2)
    return method.decode(), path.decode(), head, body


def forever(connection, part, pause_s):
    while True:
        connection.sendall(part)
        time.sleep(pause_s)


def serve(connection, port):
    request = request_of(connection)
    if request is None:
        return
    method, path, head, body = request
    size = int(path.partition("?")[2] or 0)
    match path.partition("?")[0]:
        case "/echo":
            answer(connection, "200 OK", head + b"\r\n\r\n" + body)
        case "/forbidden":
            answer(connection, "403 Forbidden", b'{"error_code":"EGW00103"}')
        case "/redirect":
            answer(connection, "302 Found", b"", f"Location: https://127.0.0.1:{port}/echo")
        case "/large":
            answer(connection, "200 OK", b"x" * size)
        case "/chunks":
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            forever(connection, b"400\r\n" + b"x" * 1024 + b"\r\n", 0)
        case "/headers":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            forever(connection, b"X-More: " + b"x" * 1000 + b"\r\n", 0)
        case "/silent":
            time.sleep(60)
        case "/drip":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
            forever(connection, b"x", 0.02)
        case "/cut":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nhalf")
        case "/nothing":
            pass
        case "/garbage":
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" * 3)
        case "/no-date":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: soon\r\n\r\n")
        case _:
            answer(connection, "404 Not Found", b"")


def connection_run(raw, context, port):
    try:
        with raw:
            if context is None:
                serve(raw, port)
            else:
                with context.wrap_socket(raw, server_side=True) as connection:
                    serve(connection, port)
    except OSError:
        pass  # the client went away, or did not like our certificate


def listen(name, context):
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    port = listener.getsockname()[1]
    print(name, port, flush=True)

    def accept():
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=connection_run, args=(raw, context, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    authority("ca")
    authority("stranger")
    own = "DNS:localhost,IP:127.0.0.1"
    certificate("good", "ca", own)
    certificate("expired", "ca", own, days="-1")
    certificate("misnamed", "ca", "DNS:openapi.example")
    certificate("unknown", "stranger", own)
    openssl("req", "-x509", *EC, "-keyout", "selfsigned.key", "-out", "selfsigned.pem", "-subj",
            "/CN=localhost", "-addext", f"subjectAltName={own}", "-days", "2")
    for name in ("good", "expired", "misnamed", "unknown", "selfsigned"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{DIRECTORY}/{name}.pem", f"{DIRECTORY}/{name}.key")
        listen(name, context)
    listen("plain", None)
    print("ready", flush=True)
    while os.read(0, 4096):
        pass


main()
