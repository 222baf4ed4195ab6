"""A server in a process of its own, and tokens that it believes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any

SECRET = "a secret that only the tests know"

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))


def program() -> str:
    """The program to test: the suite names it; by hand it is the one of `cargo build`."""
    return os.environ.get("SCROLLBACK_TEST_PROGRAM", os.path.join(ROOT, "target/debug/scrollback"))


def token(user: str, *, scope: str | None = None, seconds: float = 600) -> str:
    """A token of this user."""

    def encoded(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    claims: dict[str, Any] = {"sub": user, "exp": int(time.time() + seconds)}
    if scope is not None:
        claims["scope"] = scope
    head = encoded(b'{"alg":"HS256","typ":"JWT"}') + "." + encoded(json.dumps(claims).encode())
    return head + "." + encoded(hmac.new(SECRET.encode(), head.encode(), hashlib.sha256).digest())


def back_end_token() -> str:
    """A token that may act for every user."""
    return token("back end", scope="scrollback:act-as")


class Server:
    """A server that can be killed and started again, on the same port and with the same data.

    The database is that of the suite if it names one; otherwise it is in the folder of the server.
    """

    def __init__(self, **settings: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._listen = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{self._listen}"
        self._settings = {"auth_jwt_secret": SECRET, "log_level": "warn", **settings}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Server:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SCROLLBACK_")}
        database = os.environ.get("SCROLLBACK_TEST_DATABASE")
        if database:
            environment["SCROLLBACK_DATABASE_URL"] = database
            environment["SCROLLBACK_FILES_STORAGE"] = os.path.join(self._folder.name, "files")
        for name, value in self._settings.items():
            environment[f"SCROLLBACK_{name.upper()}"] = value
        self._process = subprocess.Popen(
            [program(), "--listen", self._listen],
            cwd=self._folder.name,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        # It prints its address when it listens.
        for line in self._process.stdout:
            if self._listen in line:
                return self
        raise AssertionError(f"the server ended: {self._process.wait()}")

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()
