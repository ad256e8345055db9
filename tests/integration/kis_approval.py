# SPDX-License-Identifier: Apache-2.0
"""The approval step that KIS's samples share."""
import json
import urllib.request


def approval_key(url):
    body = json.dumps({"grant_type": "client_credentials", "appkey": "a" * 36, "secretkey": "s" * 180}).encode()
    base = "http://" + url.split("://", 1)[1].split("/", 1)[0]
    request = urllib.request.Request(base + "/oauth2/Approval", body, {"content-type": "application/json; utf-8"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer = json.load(answer)
    assert list(answer) == ["approval_key"], answer  # the sample makes a namedtuple of it
    return answer["approval_key"]
