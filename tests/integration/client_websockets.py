#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A KIS client on Debian's python3-websockets, with the strings of KIS's current sample (json.dumps, blanks and all).

client_websockets.py URL SECONDS pong|echo|ping TR:CODE...   prints `D frame`, `C json`, `X reason`, one a line.
PINGPONG is answered by a PONG frame (pong), by its text (echo), or not at all while the library pings (ping).
"""
import asyncio
import json
import sys

import websockets

from kis_approval import approval_key


async def run(url, seconds, mode, registrations):
    key = approval_key(url)
    ping = 2 if mode == "ping" else None
    async with websockets.connect(url, ping_interval=ping, close_timeout=1) as ws:
        for registration in registrations:
            tr_id, code = registration.split(":")
            await ws.send(json.dumps({
                "header": {"content-type": "utf-8", "approval_key": key, "custtype": "P", "tr_type": "1"},
                "body": {"input": {"tr_id": tr_id, "tr_key": code}}}))
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                text = await asyncio.wait_for(ws.recv(), left)
            except asyncio.TimeoutError:
                break
            print("D" if text[0] in "01" else "C", text)
            if '"PINGPONG"' in text and mode != "ping":
                await (ws.pong(text) if mode == "pong" else ws.send(text))


try:
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
except websockets.exceptions.ConnectionClosed as closed:
    print("X", closed.code, closed.reason)
