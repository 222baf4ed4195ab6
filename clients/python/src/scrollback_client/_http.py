"""What the synchronous and the asynchronous client do alike with HTTP: requests, answers, retries."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from ._errors import NetworkError, ScrollbackError, UnauthenticatedError, error_of

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """An operation for the server to execute."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    idempotent: bool = True
    """Whether it may be sent again when it is not known whether it was executed."""


@dataclass(frozen=True)
class Answer:
    """The data of an operation."""

    data: dict[str, Any]


LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
"""Of the pool of a client: one connection for each request that is running, and for each stream."""

Operation = Generator[Call, Answer, T]
"""A sequence of calls that ends in a value. Both clients drive the same ones."""


@dataclass(frozen=True)
class Settings:
    """How patient a client is. All in seconds."""

    timeout: float = 20.0
    """For one attempt, without an answer."""
    retry_for: float = 30.0
    """Since the first attempt. 0: no retries."""
    first_delay: float = 0.1
    longest_delay: float = 5.0


class Retries:
    """Decides whether a failed operation is sent again, and when."""

    def __init__(self, settings: Settings, *, idempotent: bool, can_refresh: bool) -> None:
        self.attempts = 1
        self._settings = settings
        self._idempotent = idempotent
        self._may_refresh = can_refresh
        self._end = time.monotonic() + settings.retry_for

    def delay(self, error: ScrollbackError) -> float:
        """Seconds until the next attempt.

        Raises:
            ScrollbackError: the error itself: another attempt would not help, would not be safe, or would come too late.
        """
        if isinstance(error, UnauthenticatedError) and self._may_refresh:
            # Only once in a row: a new token that is refused too is wrong.
            self._may_refresh = False
            self.attempts += 1
            return 0.0
        # A limit of the rate is checked before anything is executed.
        is_safe = self._idempotent or error.code == "RATE_LIMITED"
        delay = backoff(self._settings, self.attempts, error.retry_after)
        if not (error.retryable and is_safe) or time.monotonic() + delay > self._end:
            raise error
        self.attempts += 1
        return delay


def backoff(settings: Settings, attempt: int, retry_after: float | None = None) -> float:
    """Seconds to wait after a failed attempt: longer each time, and random, so that clients do not come back together."""
    longest = min(settings.longest_delay, settings.first_delay * 2.0 ** min(attempt - 1, 20))
    return max(retry_after or 0.0, random.uniform(longest / 2, longest))


def body_of(query: str, variables: Mapping[str, Any]) -> bytes:
    """The body of a request.

    Raises:
        ValueError: a value is not JSON, for example NaN, or a text with a lone surrogate.
    """
    text = json.dumps(
        {"query": query, "variables": variables}, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode()


def headers_of(token: str, act_as: str | None, accept: str = "application/json") -> dict[bytes, bytes]:
    """The headers of a request."""
    headers = {
        b"authorization": f"Bearer {token}".encode(),
        b"content-type": b"application/json",
        b"accept": accept.encode(),
    }
    if act_as is not None:
        headers[b"scrollback-act-as"] = act_as.encode()
    return headers


def data_of(status: int, headers: httpx.Headers, content: bytes) -> dict[str, Any]:
    """The data of an answer.

    Raises:
        ScrollbackError: the answer has errors, or is none of this server.
    """
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        if answer.get("errors"):
            raise error_of(answer["errors"], status)
        if isinstance(answer.get("data"), dict):
            data: dict[str, Any] = answer["data"]
            return data
    if status < 500 and status not in (408, 429):
        raise ScrollbackError(f"the answer is not GraphQL: HTTP {status}", code="BAD_ANSWER", status=status)
    after = headers.get("retry-after", "")
    raise NetworkError(
        f"HTTP {status}", status=status, retry_after=float(after) if after.isdigit() else None
    )


def check_upload(response: httpx.Response) -> None:
    """Refuses an answer to an upload that says that the file is not complete.

    Raises:
        ScrollbackError: with the status of the answer.
    """
    if response.status_code == 200:
        return
    if response.status_code >= 500 or response.status_code in (408, 409, 429):
        raise NetworkError(f"the upload failed: HTTP {response.status_code}", status=response.status_code)
    text = response.text[:200]
    message = f"the upload was refused: HTTP {response.status_code}: {text}"
    raise ScrollbackError(message, code="UPLOAD_REFUSED", status=response.status_code)


def network_error(error: httpx.HTTPError) -> NetworkError:
    """An error of the connection as one of this client."""
    is_sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    return NetworkError(f"{type(error).__name__}: {error}", may_be_executed=is_sent)
