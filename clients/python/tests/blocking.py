"""An asynchronous client that is used like the synchronous one, so that a test is written once for both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

from scrollback_client import AsyncClient, AsyncMessageWriter


class Blocking:
    """Runs the coroutines of an object in an event loop of its own."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **named: Any) -> Any:
            return self._wait(value(*arguments, **named))

        return call

    def __enter__(self) -> Blocking:
        self._wait(self._inner.__aenter__())
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._wait(self._inner.__aexit__(*error))

    def _wait(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            value = self._loop.run_until_complete(value)
        if inspect.isasyncgen(value):
            return self._items(value)
        return Blocking(value, self._loop) if isinstance(value, (AsyncClient, AsyncMessageWriter)) else value

    def _items(self, items: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(items.aclose())
