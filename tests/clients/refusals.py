"""Sends requests that are answered before their bodies are read, with Python's urllib."""

import json
import os
import urllib.error
import urllib.request

for case in json.loads(os.environ["CASES"]):
    headers = {
        "authorization": "Bearer " + os.environ["SCROLLBACK_TOKEN"],
        "content-type": "application/json",
        **case["headers"],
    }
    request = urllib.request.Request(
        os.environ["SCROLLBACK_URL"] + case["path"],
        data=b" " * case["bytes"],
        headers=headers,
        method=case["method"],
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            raise SystemExit(f"{case}: {response.status} {response.read()}")
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        code = json.loads(text)["errors"][0]["extensions"]["code"] if text.startswith("{") else None
        if (error.code, code) != (case["status"], case["code"]):
            raise SystemExit(f"{case}: {error.code} {text}") from None
