"""Server-sent events, and what a subscription does with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeVar

import httpx

from ._errors import NetworkError, ScrollbackError, UnauthenticatedError, error_of
from ._http import Operation, Settings, backoff, body_of, data_of

T = TypeVar("T")

QUIET = 40.0
"""Seconds without a byte after which a stream counts as broken. The server sends a comment every 15 seconds."""


class EventParser:
    """Takes apart a stream of events.

    Only line feeds end a line: texts may contain the other characters that Python counts as ends of lines.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """The names and data of the events that end in this chunk."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            event = self._line(line.removesuffix(b"\r").decode())
            if event is not None:
                yield event

    def _line(self, line: str) -> tuple[str, str] | None:
        if line == "":
            event = (self._name, "\n".join(self._data)) if self._name or self._data else None
            self._name, self._data = "", []
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        return None


@dataclass
class Subscription(Generic[T]):
    """A subscription that resumes: what to send, where it stands, and what to do when the stream breaks.

    The clients read the stream; everything else is here.
    """

    query: str
    variables: dict[str, Any]
    root: str
    """The field of the subscription."""
    decode: Callable[[dict[str, Any]], T]
    resume: Callable[[dict[str, Any], T], None]
    """Changes the variables so that they continue after an item, which was delivered."""
    settings: Settings
    completed: bool = field(default=False, init=False)
    _parser: EventParser = field(default_factory=EventParser, init=False)
    _failures: int = field(default=0, init=False)
    _was_refused: bool = field(default=False, init=False)

    def begin(self) -> bytes:
        """The body of the next request."""
        self._parser = EventParser()
        return body_of(self.query, self.variables)

    def prepare(self) -> Operation[list[T]]:
        """What to do before each request: gives items that are known already."""
        yield from ()
        return []

    def before(self, item: T) -> Operation[list[T]]:
        """Items that must come before this one of the stream."""
        yield from ()
        return []

    def refuse(self, response: httpx.Response, content: bytes) -> NoReturn:
        """Raises the error of an answer that is no stream."""
        data_of(response.status_code, response.headers, content)
        raise NetworkError("the server answered without a stream", status=response.status_code)

    def feed(self, chunk: bytes) -> Iterator[T]:
        """The items that end in this chunk of the stream.

        Raises:
            ScrollbackError: an event is an error.
        """
        for name, text in self._parser.feed(chunk):
            if name == "complete":
                self.completed = True
            elif name == "next":
                answer = json.loads(text)
                if answer.get("errors"):
                    raise error_of(answer["errors"])
                self._failures, self._was_refused = 0, False
                yield self.decode(answer["data"][self.root])

    def delivered(self, item: T) -> None:
        """Continues after this item."""
        self.resume(self.variables, item)

    def delay(self, error: ScrollbackError | None, *, can_refresh: bool) -> float:
        """Seconds until the next request, after an error or the unexpected end of a stream.

        Raises:
            ScrollbackError: the error itself, if another request would not help.
        """
        if isinstance(error, UnauthenticatedError) and can_refresh and not self._was_refused:
            self._was_refused = True
            return 0.0
        if error is not None and not error.retryable:
            raise error
        cursor = error.extensions.get("cursor") if error else None
        if isinstance(cursor, str) and "after" in self.variables:
            self.variables["after"] = cursor
        self._failures += 1
        return backoff(self.settings, self._failures, error.retry_after if error else None)
