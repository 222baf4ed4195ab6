"""What the stores of frameworks do alike: conversations by the names of the framework, over either client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from . import _operations
from ._async_client import AsyncClient
from ._asyncio import settled
from ._client import Client
from ._http import Operation
from ._ids import conversation_id
from ._types import Message, NewMessage

T = TypeVar("T")


class Conversations:
    """The conversations of one framework, by the framework's keys.

    The methods are operations: run them with :meth:`run`, or with :meth:`run_async`. Without a client of that kind, the
    other one cannot take its place: that is an error of the program.
    """

    def __init__(self, client: Client | None, async_client: AsyncClient | None, namespace: str) -> None:
        if client is None and async_client is None:
            raise ValueError("give a client, an async_client or both")
        self.client, self.async_client, self.namespace = client, async_client, namespace

    def run(self, operation: Operation[T]) -> T:
        if self.client is None:
            raise RuntimeError("this store has no client for synchronous use: give it `client` too")
        return self.client._run(operation)

    async def run_async(self, operation: Operation[T]) -> T:
        """Waits for the outcome even if the caller is cancelled: a change is not left half known."""
        if self.async_client is None:
            raise RuntimeError("this store has no client for asynchronous use: give it `async_client` too")
        return await settled(self.async_client._run(operation))

    def id_of(self, key: str) -> Operation[str]:
        """The id of a conversation. The user is asked for once in the life of a client."""
        clients = [client for client in (self.client, self.async_client) if client is not None]
        known = next((client._viewer for client in clients if client._viewer is not None), None)
        owner = known or (yield from _operations.viewer_id())
        for client in clients:
            client._viewer = owner
        return conversation_id(key, owner=owner, namespace=self.namespace)

    def read(self, key: str) -> Operation[list[Message] | None]:
        """All messages of a key, oldest first. ``None``: there is no such conversation."""
        id = yield from self.id_of(key)
        return (yield from _operations.all_messages(id))

    def newest(self, key: str, count: int) -> Operation[list[Message] | None]:
        """The newest messages of a key, oldest first."""
        id = yield from self.id_of(key)
        return (yield from _operations.newest(id, count))

    def append(self, key: str, messages: Sequence[NewMessage]) -> Operation[None]:
        """Appends messages, to a new conversation if there is none."""
        id = yield from self.id_of(key)
        yield from _operations.append_or_create(id, messages, self.metadata(key))

    def replace(self, key: str, messages: Sequence[NewMessage]) -> Operation[None]:
        """Removes all messages, and appends others."""
        id = yield from self.id_of(key)
        yield from _operations.replace(id, messages, self.metadata(key))

    def pop(self, key: str) -> Operation[Message | None]:
        """Removes the newest message and returns it."""
        id = yield from self.id_of(key)
        return (yield from _operations.pop(id))

    def delete(self, key: str) -> Operation[bool]:
        """Deletes the conversation. Returns whether there was one."""
        id = yield from self.id_of(key)
        return (yield from _operations.delete_conversation(id))

    def keys(self) -> Operation[list[str]]:
        """The keys of all conversations, the oldest first."""
        keys: list[str] = []
        after: str | None = None
        while True:
            page = yield from _operations.conversations(
                first=_operations.MOST_ITEMS,
                after=after,
                filter={"archived": None},
                orderBy={"field": "CREATED_AT", "direction": "ASC"},
            )
            for found in page.nodes:
                key = found.metadata.get("sessionId")
                if isinstance(key, str) and found.metadata.get("namespace") == self.namespace:
                    keys.append(key)
            after = page.end_cursor
            if not page.has_next_page:
                return keys

    def metadata(self, key: str) -> dict[str, str]:
        """What a conversation says about where it comes from."""
        return {"sessionId": key, "namespace": self.namespace}
