#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A KIS client on Debian's python3-websocket, with the literal string of KIS's legacy sample.

Arguments and output as client_websockets.py.
"""
import sys
import time

import websocket

from kis_approval import approval_key

REQUEST = ('{"header":{"approval_key": "%s","custtype":"P","tr_type":"%s","content-type":"utf-8"},'
           '"body":{"input":{"tr_id":"%s","tr_key":"%s"}}}')


def run(url, seconds, mode, registrations):
    key = approval_key(url)
    ws = websocket.WebSocket()
    ws.connect(url, timeout=5)  # sends Origin: http://HOST:PORT by itself
    for registration in registrations:
        ws.send(REQUEST % (key, "1", *registration.split(":")))
        time.sleep(0.01)
    end = time.monotonic() + seconds
    next_ping = time.monotonic() + 2
    while (left := end - time.monotonic()) > 0:
        if mode == "ping" and time.monotonic() > next_ping:
            ws.ping("keepalive")
            next_ping = time.monotonic() + 2
        ws.settimeout(min(left, 0.5))
        try:
            opcode, data = ws.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            continue
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            print("X", int.from_bytes(data[:2], "big"), data[2:].decode())
            return
        if opcode == websocket.ABNF.OPCODE_PONG:
            print("C PONG")
            continue
        if opcode == websocket.ABNF.OPCODE_PING:
            continue
        text = data.decode()
        print("D" if text[0] in "01" else "C", text)
        if '"PINGPONG"' in text and mode != "ping":
            ws.pong(text) if mode == "pong" else ws.send(text)


run(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:])
