"""A network that loses answers: the server has executed the request, and the client does not know."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import httpx


class LossyTransport(httpx.BaseTransport):
    """Loses the answers of the next requests."""

    def __init__(self, lose: int = 0) -> None:
        self.lose = lose
        self.requests = 0
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = self._inner.handle_request(request)
        if self.lose > 0:
            self.lose -= 1
            response.read()
            raise httpx.ReadError("the answer was lost", request=request)
        return response


class DeletionLosingTransport(httpx.BaseTransport):
    """Loses the first answer to each deletion of a message."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self._lost: set[bytes] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        response = self._inner.handle_request(request)
        if b"mutation DeleteMessage" in body and body not in self._lost:
            self._lost.add(body)
            response.read()
            raise httpx.ReadError("the answer was lost", request=request)
        return response


class AsyncLossyTransport(httpx.AsyncBaseTransport):
    """The same for an asynchronous client."""

    def __init__(self, lose: int = 0) -> None:
        self.lose = lose
        self.requests = 0
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = await self._inner.handle_async_request(request)
        if self.lose > 0:
            self.lose -= 1
            await response.aread()
            raise httpx.ReadError("the answer was lost", request=request)
        return response


class BrokenStream(httpx.SyncByteStream):
    """Breaks off after some chunks."""

    def __init__(self, inner: httpx.SyncByteStream, chunks: int) -> None:
        self._inner, self._chunks = inner, chunks

    def __iter__(self) -> Iterator[bytes]:
        for count, chunk in enumerate(self._inner):
            if count == self._chunks:
                raise httpx.ReadError("the stream was cut")
            yield chunk

    def close(self) -> None:
        self._inner.close()


class AsyncBrokenStream(httpx.AsyncByteStream):
    """The same for an asynchronous client."""

    def __init__(self, inner: httpx.AsyncByteStream, chunks: int) -> None:
        self._inner, self._chunks = inner, chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        async for chunk in self._inner:
            if count == self._chunks:
                raise httpx.ReadError("the stream was cut")
            count += 1
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class CuttingTransport(LossyTransport):
    """Cuts every event stream after some chunks."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self._chunks = chunks
        self.streams = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            self.streams += 1
            assert isinstance(response.stream, httpx.SyncByteStream)
            response.stream = BrokenStream(response.stream, self._chunks)
        return response


class AsyncCuttingTransport(AsyncLossyTransport):
    """The same for an asynchronous client."""

    def __init__(self, chunks: int) -> None:
        super().__init__()
        self._chunks = chunks
        self.streams = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            self.streams += 1
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = AsyncBrokenStream(response.stream, self._chunks)
        return response


class GapTransport(LossyTransport):
    """Does something before each event stream is opened, and cuts all but the last."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.before_streams: list[Callable[[], object]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["accept"] == "text/event-stream" and self.before_streams:
            self.before_streams.pop(0)()
            if self.before_streams:
                raise httpx.ReadError("the stream was cut", request=request)
        return super().handle_request(request)


class AsyncGapTransport(AsyncLossyTransport):
    """The same for an asynchronous client."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.before_streams: list[Callable[[], object]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers["accept"] == "text/event-stream" and self.before_streams:
            self.before_streams.pop(0)()
            if self.before_streams:
                raise httpx.ReadError("the stream was cut", request=request)
        return await super().handle_async_request(request)
