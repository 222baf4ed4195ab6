"""The asynchronous client: the same methods as the synchronous one, to be awaited."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx

from . import _operations, _subscriptions
from ._asyncio import AsyncConnection, AsyncToken
from ._decode import given, mapping, message_input
from ._http import Call, Operation, Settings
from ._ids import new_id
from ._types import (
    Change,
    Conversation,
    DeletedMessage,
    FollowedMessage,
    Message,
    NewMessage,
    Page,
    Part,
    Role,
    SearchHit,
    TextChunk,
)
from ._writer import AsyncMessageWriter

T = TypeVar("T")


class AsyncClient:
    """A client of a Scrollback server. Use one for the whole program: it has a pool of connections for each event loop.

    Args:
        url: where the server is, for example ``"http://127.0.0.1:8000"``.
        token: the token, or a function that gives one. The function is called again when the server refuses a token.
        act_as: the user to act for. The token needs the scope ``scrollback:act-as``.
        timeout: seconds for one attempt.
        retry_for: seconds during which an operation that failed for a while is tried again. 0: never.
        http_client: a client of httpx to use. It is not closed with this client.
    """

    def __init__(
        self,
        url: str,
        token: AsyncToken,
        *,
        act_as: str | None = None,
        timeout: float = 20.0,
        retry_for: float = 30.0,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        settings = Settings(timeout=timeout, retry_for=retry_for)
        self._connection = AsyncConnection(url, token, settings, http_client)
        self._act_as = act_as
        self._viewer: str | None = act_as

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections, also for the clients that share them."""
        await self._connection.close()

    def acting_as(self, user: str) -> AsyncClient:
        """A client that acts for this user, over the same connections."""
        other = AsyncClient.__new__(AsyncClient)
        other._connection, other._act_as, other._viewer = self._connection, user, user
        return other

    async def _run(self, operation: Operation[T]) -> T:
        return await self._connection.run(operation, self._act_as)

    async def execute(
        self, query: str, variables: Mapping[str, Any] | None = None, *, idempotent: bool = False
    ) -> dict[str, Any]:
        """Executes any query or mutation and returns its data.

        Say ``idempotent=True`` if it may be sent again when an answer is lost: for queries, and for mutations with your ids.
        """
        answer = await self._connection.execute(Call(query, variables or {}, idempotent), self._act_as)
        return answer.data

    async def viewer_id(self) -> str:
        """The user whose data this is."""
        if self._viewer is None:
            self._viewer = await self._run(_operations.viewer_id())
        return self._viewer

    async def conversation(self, id: str) -> Conversation | None:
        """A conversation, or ``None`` if there is none with this id."""
        return await self._run(_operations.conversation(id))

    async def conversations(
        self,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: Mapping[str, Any] | None = None,
        order_by: Mapping[str, str] | None = None,
    ) -> Page[Conversation]:
        """A page of conversations, those with the latest activity first. ``filter`` is a ``ConversationFilter``."""
        arguments = given(
            first=first, after=after, last=last, before=before, filter=filter, orderBy=order_by
        )
        return await self._run(_operations.conversations(**arguments))

    async def create_conversation(
        self,
        *,
        id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        messages: Iterable[NewMessage] = (),
        expires_at: str | None = None,
    ) -> Conversation:
        """Creates a conversation, with at most 100 messages. With your own ``id`` the call can be repeated."""
        inputs = [message_input(message) for message in messages]
        input = given(
            id=id or new_id(), title=title, metadata=mapping(metadata), messages=inputs or None, expiresAt=expires_at
        )
        return await self._run(_operations.create_conversation(input))

    async def update_conversation(self, id: str, **changes: Any) -> Conversation:
        """Changes the fields of ``UpdateConversationInput`` that are given, by their GraphQL names; ``None`` clears one."""
        return await self._run(_operations.update_conversation({"id": id, **changes}))

    async def delete_conversation(self, id: str) -> bool:
        """Deletes a conversation with its messages for good. Returns whether there was one."""
        return await self._run(_operations.delete_conversation(id))

    async def clear_conversation(self, id: str) -> None:
        """Removes all messages of a conversation for good. The conversation stays."""
        await self._run(_operations.clear_conversation(id))

    async def history(
        self,
        conversation_id: str,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        include_deleted: bool = False,
    ) -> Page[Message] | None:
        """A page of messages, oldest first: without arguments the last 100. ``None``: there is no such conversation."""
        arguments = given(first=first, after=after, last=last, before=before)
        return await self._run(_operations.history(conversation_id, **arguments, includeDeleted=include_deleted))

    async def messages(self, conversation_id: str) -> AsyncGenerator[Message, None]:
        """All messages that are not deleted, oldest first, page by page."""
        after: str | None = None
        while page := await self.history(conversation_id, first=_operations.MOST_ITEMS, after=after):
            for message in page.nodes:
                yield message
            after = page.end_cursor
            if not page.has_next_page:
                return

    async def append(
        self,
        conversation_id: str,
        role: Role,
        content: str | None = None,
        *,
        parts: Sequence[Part] | None = None,
        id: str | None = None,
        model: str | None = None,
        usage: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Message:
        """Appends a message. It is there once, however often the request has to be sent.

        Give your own ``id`` to make the whole call repeatable, for example after a restart of your program.
        """
        new = NewMessage(role, content, parts=parts, id=id, model=model, usage=usage, metadata=metadata)
        return (await self.append_many(conversation_id, [new]))[0]

    async def append_many(self, conversation_id: str, messages: Iterable[NewMessage]) -> list[Message]:
        """Appends messages in order. Up to 100 are one transaction."""
        return await self._run(_operations.append(conversation_id, messages))

    async def update_message(self, id: str, **changes: Any) -> Message:
        """Changes the fields of ``UpdateMessageInput`` that are given, by their GraphQL names; ``None`` clears one."""
        return await self._run(_operations.update_message({"id": id, **changes}))

    async def delete_message(self, id: str) -> DeletedMessage:
        """Deletes the content of a message."""
        return await self._run(_operations.delete_message(id))

    async def pop(self, conversation_id: str) -> Message | None:
        """Deletes the newest message and returns it as it was. ``None``: there is none."""
        return await self._run(_operations.pop(conversation_id))

    async def set_feedback(self, message_id: str, **feedback: Any) -> Message:
        """Sets the fields of a message's feedback that are given: ``rating``, ``tags``, ``comment``."""
        return await self._run(_operations.set_feedback({"messageId": message_id, **feedback}))

    async def stop(self, message_id: str) -> None:
        """Asks the writer of a message to stop."""
        await self._run(_operations.stop(message_id))

    async def search(
        self,
        query: str,
        *,
        filter: Mapping[str, Any] | None = None,
        first: int | None = None,
        after: str | None = None,
        order_by: str | None = None,
    ) -> Page[SearchHit]:
        """Messages that have all words of a query. ``filter`` is a ``MessageSearchFilter``."""
        arguments = given(query=query, filter=mapping(filter), first=first, after=after, orderBy=order_by)
        return await self._run(_operations.search(**arguments))

    async def attach(self, content: bytes, *, media_type: str, filename: str | None = None) -> str:
        """Stores a file, and returns the URL for a file part: ``attachment:ID``. A file without a message is kept for a day."""
        id, upload = await self._run(_operations.create_attachment(content, media_type, filename))
        if upload is not None:
            await self._connection.upload(upload, content)
        return f"attachment:{id}"

    async def download_urls(self, attachment_ids: Sequence[str]) -> dict[str, str]:
        """Where attachments can be downloaded without a token, for 15 minutes at least, by their ids."""
        found = await self._run(_operations.download_urls(attachment_ids))
        return {id: urljoin(self._connection.url, url) for id, url in found.items()}

    def stream(
        self,
        conversation_id: str,
        role: Role = "ASSISTANT",
        *,
        id: str | None = None,
        model: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncMessageWriter:
        """Writes a message while it is produced: ``async with client.stream(id) as writer: await writer.write("…")``."""
        start = NewMessage(role, id=id, model=model, metadata=metadata)
        return AsyncMessageWriter(self._connection, self._act_as, conversation_id, start)

    def follow(self, conversation_id: str, after: str | None = None) -> AsyncGenerator[FollowedMessage, None]:
        """The new messages of a conversation, each once and in order, across broken connections and new tokens.

        ``after`` is the cursor of a message, or ``end_cursor`` of a page. Without it only messages from now on are given.
        It ends when the conversation is deleted. Close the iterator, or leave the loop, to stop.
        """
        subscription = _subscriptions.follow(self._connection.settings, conversation_id, after)
        return self._connection.stream(subscription, self._act_as)

    def follow_text(self, message_id: str, offset: int = 0) -> AsyncGenerator[TextChunk, None]:
        """The text of a message that is being written, from a number of code points on, until it is finished."""
        subscription = _subscriptions.text(self._connection.settings, message_id, offset)
        return self._connection.stream(subscription, self._act_as)

    def changes(self, after: str | None = None) -> AsyncGenerator[Change, None]:
        """Everything that changes for the user, each change once and in order, across broken connections.

        ``after`` is the cursor of a change, or ``change_cursor`` of a page of conversations.

        Raises:
            CursorExpiredError: read the conversations again, and follow from their ``change_cursor``.
        """
        subscription = _subscriptions.changes(self._connection.settings, after)
        return self._connection.stream(subscription, self._act_as)
