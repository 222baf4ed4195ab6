"""What Chainlit asks for without saying for whom: users, the authors of threads, favourites.

It is kept with the owner of the token, in conversations of its own: one for each user, and one for the authors of all
threads. Threads themselves belong to their users.
"""

from __future__ import annotations

from typing import Any

from .. import _operations
from .._async_client import AsyncClient
from .._asyncio import settled
from .._errors import ConflictError
from .._ids import derived_id
from .._types import Conversation, NewMessage

_MOST_CACHED = 10_000


class Registry:
    """The records of an application, in the conversations of its token's owner."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._authors: dict[str, str] = {}

    async def user(self, identifier: str) -> Conversation | None:
        """The record of a user: see :func:`user_metadata`."""
        return await self._client.conversation(await self._id("user", identifier))

    async def save_user(self, identifier: str, user: dict[str, Any]) -> Conversation:
        """Creates the record of a user, or replaces it."""
        id = await self._id("user", identifier)
        metadata = {"namespace": "chainlit", "registry": "user", "identifier": identifier, "user": user}
        try:
            return await self._client.create_conversation(id=id, metadata=metadata)
        except ConflictError:
            return await self._client.update_conversation(id, metadata=metadata)

    async def author(self, thread_id: str) -> str | None:
        """The identifier of the user of a thread."""
        if thread_id not in self._authors:
            (message,) = await self._client._run(
                _operations.messages_by_id([await self._id("thread", thread_id)])
            )
            if message is None or message.deleted_at is not None:
                return None
            self._remember(thread_id, message.metadata["author"])
        return self._authors[thread_id]

    async def save_author(self, thread_id: str, identifier: str) -> None:
        """Says whose a thread is. A thread does not change its user."""
        if self._authors.get(thread_id) == identifier:
            return
        new = NewMessage(
            "SYSTEM",
            thread_id,
            id=await self._id("thread", thread_id),
            metadata={"author": identifier},
        )
        await self._append("threads", new)
        self._remember(thread_id, identifier)

    async def forget(self, thread_id: str) -> None:
        """Removes the author of a thread."""
        self._authors.pop(thread_id, None)
        await self._client.delete_message(await self._id("thread", thread_id))

    async def favorites(self, identifier: str) -> dict[str, str]:
        """The messages of a user's favourite steps, with the messages that say so: their ids, the newest last."""
        id = await self._id("favorites", identifier)
        return {message.metadata["message"]: message.id async for message in self._client.messages(id)}

    async def set_favorite(self, identifier: str, message_id: str, favorite: bool) -> None:
        """Adds the message of a step to the favourites of a user, or removes it."""
        there = await self.favorites(identifier)
        if favorite and message_id not in there:
            new = NewMessage("SYSTEM", message_id, metadata={"message": message_id})
            await self._append("favorites", new, identifier)
        elif not favorite and message_id in there:
            await self._client.delete_message(there[message_id])

    async def _append(self, name: str, new: NewMessage, key: str = "") -> None:
        metadata = {"namespace": "chainlit", "registry": name}
        id = await self._id(name, key)
        await settled(self._client._run(_operations.append_or_create(id, [new], metadata)))

    async def _id(self, name: str, key: str = "") -> str:
        return derived_id("chainlit", await self._client.viewer_id(), name, key)

    def _remember(self, thread_id: str, identifier: str) -> None:
        if len(self._authors) >= _MOST_CACHED:
            self._authors.pop(next(iter(self._authors)))
        self._authors[thread_id] = identifier
