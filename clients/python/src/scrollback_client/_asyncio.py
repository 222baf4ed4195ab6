"""The connection of the asynchronous client: runs operations and reads streams."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import urljoin
from weakref import WeakKeyDictionary

import httpx

from ._errors import ScrollbackError
from ._events import QUIET, Subscription
from ._http import LIMITS, Answer, Call, Operation, Retries, Settings, body_of, check_upload, data_of, headers_of, network_error

T = TypeVar("T")

AsyncToken = str | Callable[[], str] | Callable[[], Awaitable[str]]
"""A token, or a function that gives one: it is called for the first request, and when the server refuses a token."""


class AsyncConnection:
    """A pool of connections with a token, shared by the clients that act for different users."""

    def __init__(
        self, url: str, token: AsyncToken, settings: Settings, http: httpx.AsyncClient | None
    ) -> None:
        self.url = url.rstrip("/") + "/graphql"
        self.settings = settings
        self._provider = token
        self._token: str | None = None
        self._given_http = http
        # The connections of a pool belong to the event loop that opened them.
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def close(self) -> None:
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    @property
    def _http(self) -> httpx.AsyncClient:
        if self._given_http is not None:
            return self._given_http
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = httpx.AsyncClient(timeout=self.settings.timeout, limits=LIMITS)
            self._pools[loop] = pool
        return pool

    @property
    def can_refresh(self) -> bool:
        return callable(self._provider)

    async def token(self) -> str:
        if self._token is None:
            given = self._provider() if callable(self._provider) else self._provider
            self._token = await given if inspect.isawaitable(given) else given
        return self._token

    def forget(self, token: str) -> None:
        """Forgets a token that was refused, unless another task has a newer one already."""
        if self._token == token:
            self._token = None

    async def run(self, operation: Operation[T], act_as: str | None) -> T:
        """Runs an operation to its end."""
        try:
            call = next(operation)
            while True:
                try:
                    answer = await self.execute(call, act_as)
                except ScrollbackError as error:
                    call = operation.throw(error)
                else:
                    call = operation.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value

    async def execute(self, call: Call, act_as: str | None) -> Answer:
        """Executes a call, again if need be."""
        body = body_of(call.query, call.variables)
        retries = Retries(self.settings, idempotent=call.idempotent, can_refresh=self.can_refresh)
        while True:
            token = await self.token()
            try:
                response = await self._http.post(self.url, content=body, headers=headers_of(token, act_as))
                data = data_of(response.status_code, response.headers, response.content)
                return Answer(data)
            except httpx.HTTPError as broken:
                error: ScrollbackError = network_error(broken)
            except ScrollbackError as refused:
                error = refused
            if error.code == "UNAUTHENTICATED":
                self.forget(token)
            await asyncio.sleep(retries.delay(error))

    async def upload(self, target: dict[str, Any], content: bytes) -> None:
        """Sends a file to where the server wants it. Sending it again changes nothing."""
        retries = Retries(self.settings, idempotent=True, can_refresh=False)
        headers = {header["name"]: header["value"] for header in target["headers"]}
        url = urljoin(self.url, target["url"])
        while True:
            try:
                response = await self._http.request(target["method"], url, content=content, headers=headers)
                return check_upload(response)
            except httpx.HTTPError as broken:
                error: ScrollbackError = network_error(broken)
            except ScrollbackError as refused:
                error = refused
            await asyncio.sleep(retries.delay(error))

    async def stream(self, subscription: Subscription[T], act_as: str | None) -> AsyncGenerator[T, None]:
        """The items of a subscription, which goes on when the stream breaks."""
        while not subscription.completed:
            error: ScrollbackError | None = None
            token = await self.token()
            try:
                for item in await self.run(subscription.prepare(), act_as):
                    subscription.delivered(item)
                    yield item
                async with aclosing(self._read(subscription, token, act_as)) as items:
                    async for item in items:
                        for earlier in await self.run(subscription.before(item), act_as):
                            subscription.delivered(earlier)
                            yield earlier
                        subscription.delivered(item)
                        yield item
            except httpx.HTTPError as broken:
                error = network_error(broken)
            except ScrollbackError as refused:
                error = refused
            if error is not None and error.code == "UNAUTHENTICATED":
                self.forget(token)
            if not subscription.completed:
                await asyncio.sleep(subscription.delay(error, can_refresh=self.can_refresh))

    async def _read(self, subscription: Subscription[T], token: str, act_as: str | None) -> AsyncGenerator[T, None]:
        headers = headers_of(token, act_as, accept="text/event-stream")
        patience = httpx.Timeout(self.settings.timeout, read=QUIET)
        async with self._http.stream(
            "POST", self.url, content=subscription.begin(), headers=headers, timeout=patience
        ) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                subscription.refuse(response, await response.aread())
            async for chunk in response.aiter_bytes():
                for item in subscription.feed(chunk):
                    yield item


async def settled(work: Coroutine[Any, Any, T]) -> T:
    """Waits for a change until its outcome is known, even if the caller is cancelled meanwhile.

    Without this a caller that was cancelled would not know whether the change was made, and could overtake it.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    if cancelled is not None:
        # The outcome is not lost silently: a failure is the context of the cancellation.
        failure = None if task.cancelled() else task.exception()
        raise cancelled from failure
    return task.result()
