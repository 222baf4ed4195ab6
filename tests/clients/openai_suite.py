"""Runs the tests that OpenAI has for conversations in its package for Python against the server.

They are written for a server of examples: its conversation is always `conv_123`, its item `msg_abc`, and lists begin after
`after` and have the `limit` 0, which OpenAI does not allow. A proxy puts a new conversation with a new item in the place of
these, 1 in the place of the limit, and the token in the place of the key. It changes nothing else.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import sys
import threading
import urllib.parse

import openai
import pytest

SERVER = urllib.parse.urlsplit(os.environ["SCROLLBACK_URL"])
AUTHORIZATION = "Bearer " + os.environ["SCROLLBACK_TOKEN"]
SOURCE = pathlib.Path(__file__).with_name(".openai") / f"openai-{openai.__version__}"
FILES = ["tests/api_resources/test_conversations.py", "tests/api_resources/conversations/test_items.py"]
# Of the tests of the package: fewer would show that they have moved.
LEAST = 170


def send(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(SERVER.hostname, SERVER.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, {**(headers or {}), "authorization": AUTHORIZATION})
        response = connection.getresponse()
        return response, response.read()


def new_conversation():
    items = [{"role": "user", "content": "example"}]
    headers = {"content-type": "application/json"}
    _, body = send("POST", "/v1/conversations", "{}", headers)
    conversation = json.loads(body)["id"]
    _, body = send("POST", f"/v1/conversations/{conversation}/items", json.dumps({"items": items}), headers)
    return conversation, json.loads(body)["first_id"]


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        path = self.path
        if "conv_123" in path:
            conversation, item = new_conversation()
            path = path.replace("conv_123", conversation).replace("msg_abc", item)
            path = path.replace("after=after", f"after={item}").replace("limit=0", "limit=1")
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length) if length else None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        response, answer = send(self.command, path, body, {**headers, "accept-encoding": "identity"})
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = forward

    def log_message(self, *_):
        pass


class Count:
    passed = 0

    def pytest_runtest_logreport(self, report):
        self.passed += report.when == "call" and report.passed


proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()
os.environ["TEST_API_BASE_URL"] = f"http://127.0.0.1:{proxy.server_port}/v1"
os.chdir(SOURCE)
# The installed package, and the folder `tests` of the sources.
sys.path.insert(0, str(SOURCE))
count = Count()
options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings=default"]
code = pytest.main([*options, *FILES], plugins=[count])
if code != 0 or count.passed < LEAST:
    raise SystemExit(f"pytest ended with {code}, {count.passed} passed")
