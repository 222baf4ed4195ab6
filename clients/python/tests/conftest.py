"""Fixtures: a server for all tests, and users that no other test has."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import network
import pytest
from blocking import Blocking
from server import Server, token

from scrollback_client import AsyncClient, Client


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server for all tests."""
    server = Server()
    yield server.start()
    server.close()


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may kill."""
    server = Server()
    yield server.start()
    server.close()


@pytest.fixture
def user() -> str:
    """A user of this test only."""
    return f"user-{uuid.uuid4()}"


Connect = Callable[..., Any]
"""Makes a client of the kind that the test runs with: ``connect(user, transport=…)``."""


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, server: Server) -> Iterator[Connect]:
    """Connects as a user, with the synchronous client and with the asynchronous one."""
    loop = asyncio.new_event_loop()
    clients: list[Any] = []

    def connect(user: str, *, url: str = server.url, transport: Any = None, **options: Any) -> Any:
        given = options.pop("token", None) or token(user)
        if request.param == "sync":
            http = httpx.Client(transport=transport) if transport else None
            client: Any = Client(url, given, http_client=http, **options)
        else:
            http_async = httpx.AsyncClient(transport=transport) if transport else None
            client = Blocking(AsyncClient(url, given, http_client=http_async, **options), loop)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()
    loop.close()


@pytest.fixture
def lossy(connect: Connect, request: pytest.FixtureRequest) -> Any:
    """A transport that loses answers, of the kind that the test runs with."""
    is_sync = request.node.callspec.params["connect"] == "sync"
    return network.LossyTransport() if is_sync else network.AsyncLossyTransport()


@pytest.fixture
def cutting(connect: Connect, request: pytest.FixtureRequest) -> Any:
    """A transport that cuts streams after each event."""
    is_sync = request.node.callspec.params["connect"] == "sync"
    return network.CuttingTransport(1) if is_sync else network.AsyncCuttingTransport(1)


@pytest.fixture
def gap(connect: Connect, request: pytest.FixtureRequest, server: Server) -> Any:
    """A transport that does something before streams are opened, of the kind that the test runs with."""
    is_sync = request.node.callspec.params["connect"] == "sync"
    return network.GapTransport(server.url) if is_sync else network.AsyncGapTransport(server.url)


@pytest.fixture
def client(connect: Connect, user: str) -> Any:
    """A client of the test's user: a synchronous one, and an asynchronous one."""
    return connect(user)


@pytest.fixture
async def async_client(server: Server, user: str) -> AsyncIterator[AsyncClient]:
    """An asynchronous client of the test's user."""
    async with AsyncClient(server.url, token(user)) as client:
        yield client


@pytest.fixture
def sync_client(server: Server, user: str) -> Iterator[Client]:
    """A synchronous client of the test's user."""
    with Client(server.url, token(user)) as client:
        yield client


@pytest.fixture
async def back_end(server: Server) -> AsyncIterator[AsyncClient]:
    """A client that may act for every user, as an owner of its own."""
    owner = f"app-{uuid.uuid4()}"
    async with AsyncClient(server.url, token(owner, scope="scrollback:act-as")) as client:
        yield client


