"""The connection of the synchronous client: runs operations and reads streams."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx

from ._errors import ScrollbackError
from ._events import QUIET, Subscription
from ._http import LIMITS, Answer, Call, Operation, Retries, Settings, body_of, check_upload, data_of, headers_of, network_error

T = TypeVar("T")

Token = str | Callable[[], str]
"""A token, or a function that gives one: it is called for the first request, and when the server refuses a token."""


class Connection:
    """A pool of connections with a token, shared by the clients that act for different users."""

    def __init__(self, url: str, token: Token, settings: Settings, http: httpx.Client | None) -> None:
        self.url = url.rstrip("/") + "/graphql"
        self.settings = settings
        self._provider = token
        self._token: str | None = None
        self._owns_http = http is None
        self._http = http or httpx.Client(timeout=settings.timeout, limits=LIMITS)

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

    @property
    def can_refresh(self) -> bool:
        return callable(self._provider)

    def token(self) -> str:
        if self._token is None:
            self._token = self._provider() if callable(self._provider) else self._provider
        return self._token

    def forget(self, token: str) -> None:
        """Forgets a token that was refused, unless another thread has a newer one already."""
        if self._token == token:
            self._token = None

    def run(self, operation: Operation[T], act_as: str | None) -> T:
        """Runs an operation to its end."""
        try:
            call = next(operation)
            while True:
                try:
                    answer = self.execute(call, act_as)
                except ScrollbackError as error:
                    call = operation.throw(error)
                else:
                    call = operation.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value

    def execute(self, call: Call, act_as: str | None) -> Answer:
        """Executes a call, again if need be."""
        body = body_of(call.query, call.variables)
        retries = Retries(self.settings, idempotent=call.idempotent, can_refresh=self.can_refresh)
        while True:
            token = self.token()
            try:
                response = self._http.post(self.url, content=body, headers=headers_of(token, act_as))
                data = data_of(response.status_code, response.headers, response.content)
                return Answer(data)
            except httpx.HTTPError as broken:
                error: ScrollbackError = network_error(broken)
            except ScrollbackError as refused:
                error = refused
            if error.code == "UNAUTHENTICATED":
                self.forget(token)
            time.sleep(retries.delay(error))

    def upload(self, target: dict[str, Any], content: bytes) -> None:
        """Sends a file to where the server wants it. Sending it again changes nothing."""
        retries = Retries(self.settings, idempotent=True, can_refresh=False)
        headers = {header["name"]: header["value"] for header in target["headers"]}
        url = urljoin(self.url, target["url"])
        while True:
            try:
                response = self._http.request(target["method"], url, content=content, headers=headers)
                return check_upload(response)
            except httpx.HTTPError as broken:
                error: ScrollbackError = network_error(broken)
            except ScrollbackError as refused:
                error = refused
            time.sleep(retries.delay(error))

    def stream(self, subscription: Subscription[T], act_as: str | None) -> Iterator[T]:
        """The items of a subscription, which goes on when the stream breaks."""
        while not subscription.completed:
            error: ScrollbackError | None = None
            token = self.token()
            try:
                for item in self.run(subscription.prepare(), act_as):
                    subscription.delivered(item)
                    yield item
                for item in self._read(subscription, token, act_as):
                    for earlier in self.run(subscription.before(item), act_as):
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
                time.sleep(subscription.delay(error, can_refresh=self.can_refresh))

    def _read(self, subscription: Subscription[T], token: str, act_as: str | None) -> Iterator[T]:
        headers = headers_of(token, act_as, accept="text/event-stream")
        patience = httpx.Timeout(self.settings.timeout, read=QUIET)
        with self._http.stream(
            "POST", self.url, content=subscription.begin(), headers=headers, timeout=patience
        ) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                subscription.refuse(response, response.read())
            for chunk in response.iter_bytes():
                yield from subscription.feed(chunk)
