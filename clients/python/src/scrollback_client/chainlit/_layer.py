"""The data layer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from chainlit.context import ChainlitContextException, context
from chainlit.data.base import BaseDataLayer
from chainlit.data.utils import queue_until_user_message
from chainlit.element import Element, ElementDict
from chainlit.step import StepDict
from chainlit.types import Feedback, PageInfo, PaginatedResponse, Pagination, ThreadDict, ThreadFilter
from chainlit.user import PersistedUser, User

from .. import _operations
from .._async_client import AsyncClient
from .._asyncio import settled
from .._errors import ConflictError, NotFoundError, ScrollbackError
from .._types import Conversation, Message, NewMessage, Part
from . import _records
from ._registry import Registry
from ._threads import changes_of, creation_of, has_feedback, is_thread_of, thread_dict

_LOG = logging.getLogger("scrollback_client")

Method = TypeVar("Method", bound=Callable[..., Any])


def _queued(method: Method) -> Method:
    """Lets Chainlit hold back a call until the user has written something: threads without messages are not kept."""
    return cast(Method, queue_until_user_message()(method))  # type: ignore[no-untyped-call]


class ScrollbackDataLayer(BaseDataLayer):
    """Keeps threads as conversations of their users, and steps and elements as messages.

    Args:
        client: a client without ``act_as``. Its token needs the scope ``scrollback:act-as``, unless ``act_as`` is false.
        act_as: whether each user of the application is a user of the server. If not, everything belongs to the owner
            of the token.
    """

    def __init__(self, client: AsyncClient, *, act_as: bool = True) -> None:
        self._client = client
        self._act_as = act_as
        self._registry = Registry(client)

    async def get_user(self, identifier: str) -> PersistedUser | None:
        """A user that logged in before."""
        record = await self._registry.user(identifier)
        return None if record is None else _user(record)

    async def create_user(self, user: User) -> PersistedUser | None:
        """Remembers a user, or what is new about them."""
        kept = {"display_name": user.display_name, "metadata": user.metadata}
        return _user(await self._registry.save_user(user.identifier, kept))

    async def get_thread_author(self, thread_id: str) -> str:
        """The identifier of the user of a thread. Empty: there is none."""
        return await self._registry.author(thread_id) or ""

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Creates a thread, or changes what is given. Keys of the metadata that are ``None`` are removed."""
        if user_id:
            await self._registry.save_author(thread_id, user_id)
        client, author = await self._of_thread(thread_id)
        if name is None and metadata:
            name = metadata.get("name")
        found = await client.conversation(thread_id)
        if found is None:
            new = creation_of(name, author, metadata, tags)
            try:
                found = await client.create_conversation(id=thread_id, **new)
            except ConflictError:
                found = await client.conversation(thread_id)
                if found is None:
                    raise
        changes = changes_of(found, name=name, author=author, metadata=metadata, tags=tags)
        if changes:
            await client.update_conversation(thread_id, **changes)

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """A thread with its steps and elements."""
        client, author = await self._of_thread(thread_id)
        found = await client.conversation(thread_id)
        if found is None:
            return None
        messages = [message async for message in client.messages(thread_id)]
        # Where all users share one account, who asks is no proof of whose it is.
        thread = thread_dict(found, author if self._act_as else None)
        steps = [step for message in messages if (step := _records.step_of(message, thread_id))]
        # Tasks of Chainlit may store them in another order than that in which they were made.
        thread["steps"] = sorted(steps, key=lambda step: step.get("createdAt") or "")
        thread["elements"] = await self._elements(client, messages)
        return thread

    async def delete_thread(self, thread_id: str) -> None:
        """Deletes a thread with its steps, elements and files."""
        client, author = await self._of_thread(thread_id)
        await client.delete_conversation(thread_id)
        if author is not None:
            try:
                await self._registry.forget(thread_id)
            except NotFoundError:
                pass

    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        """Threads of a user, those with the latest activity first, without their steps.

        ``search`` finds threads with all words of it. ``feedback`` reads the messages of each thread.
        """
        if not filters.userId:
            raise ValueError("userId is required")
        client = self._client.acting_as(filters.userId) if self._act_as else self._client
        query = {"query": filters.search} if filters.search and filters.search.strip() else None
        threads: list[ThreadDict] = []
        after = pagination.cursor
        while True:
            size = min(max(pagination.first - len(threads), 1), _operations.MOST_ITEMS)
            page = await client.conversations(first=size, after=after, filter=query)
            for found in page.nodes:
                if await self._is_wanted(client, found, filters):
                    threads.append(thread_dict(found, filters.userId))
            after = page.end_cursor or after
            if len(threads) >= pagination.first or not page.has_next_page:
                info = PageInfo(page.has_next_page, pagination.cursor, after)
                return PaginatedResponse(pageInfo=info, data=threads)

    async def _is_wanted(self, client: AsyncClient, found: Conversation, filters: ThreadFilter) -> bool:
        if not is_thread_of(found, None if self._act_as else filters.userId):
            return False
        if filters.feedback is None:
            return True
        messages = [message async for message in client.messages(found.id)]
        return has_feedback(messages, filters.feedback)

    @_queued
    async def create_step(self, step_dict: StepDict) -> None:
        """Stores a step, or replaces it."""
        client, author = await self._of_thread(step_dict["threadId"])
        await self._save(client, step_dict["threadId"], author, _records.step_message(step_dict))

    @_queued
    async def update_step(self, step_dict: StepDict) -> None:
        """Replaces a step, or stores it."""
        client, author = await self._of_thread(step_dict["threadId"])
        await self._save(client, step_dict["threadId"], author, _records.step_message(step_dict))

    @_queued
    async def delete_step(self, step_id: str) -> None:
        """Deletes a step of the current thread, with its feedback and elements."""
        thread_id = context.session.thread_id
        client, _ = await self._of_thread(thread_id)
        id = _records.message_id(step_id, thread_id)
        async for message in client.messages(thread_id):
            element = _records.element_of(message)
            if message.id == id or (element and element.get("forId") == step_id):
                await client.delete_message(message.id)

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        """The favourite steps of a user, the newest first."""
        client = self._client.acting_as(user_id) if self._act_as else self._client
        ids = list(await self._registry.favorites(user_id))
        steps: list[StepDict] = []
        for start in range(0, len(ids), _operations.MOST_ITEMS):
            page = ids[start : start + _operations.MOST_ITEMS]
            for message in await client._run(_operations.messages_by_id(page)):
                step = _records.step_of(message, "") if message and not message.deleted_at else None
                if step is not None:
                    steps.append(step)
        return sorted(steps, key=lambda step: step.get("createdAt") or "", reverse=True)

    async def set_step_favorite(self, step_dict: StepDict, favorite: bool) -> StepDict:
        """Marks a step as a favourite, or no longer."""
        changed = await super().set_step_favorite(step_dict, favorite)
        author = await self._author(step_dict["threadId"])
        if author is not None:
            id = _records.message_id(step_dict["id"], step_dict["threadId"])
            await self._registry.set_favorite(author, id, favorite)
        return changed

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Sets what a user thinks of a step, and returns the id of the feedback."""
        thread_id = feedback.threadId or self._current_thread()
        if thread_id is None:
            raise ValueError("threadId is required")
        client, _ = await self._of_thread(thread_id)
        rating = "UP" if feedback.value == 1 else "DOWN"
        await client.set_feedback(
            _records.message_id(feedback.forId, thread_id), rating=rating, comment=feedback.comment
        )
        return _records.feedback_id(thread_id, feedback.forId)

    async def delete_feedback(self, feedback_id: str) -> bool:
        """Removes a feedback. Returns whether its step exists."""
        thread_id, _, step_id = feedback_id.partition(":")
        client, _ = await self._of_thread(thread_id)
        try:
            id = _records.message_id(step_id, thread_id)
            await client.set_feedback(id, rating=None, tags=None, comment=None)
        except (NotFoundError, ConflictError):
            return False
        return True

    @_queued
    async def create_element(self, element: Element) -> None:
        """Stores an element that belongs to a step. Its file becomes an attachment, if it is not elsewhere already."""
        if not element.for_id:
            return
        client, author = await self._of_thread(element.thread_id)
        file = await self._file(client, element)
        new = _records.element_message(dict(element.to_dict()), file)
        await self._save(client, element.thread_id, author, new)

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        """An element. Its URL can be opened for 15 minutes at least."""
        client, _ = await self._of_thread(thread_id)
        id = _records.message_id(element_id, thread_id)
        (message,) = await client._run(_operations.messages_by_id([id]))
        if message is None or message.deleted_at is not None:
            return None
        elements = await self._elements(client, [message])
        return elements[0] if elements else None

    @_queued
    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Deletes an element with its file."""
        thread_id = thread_id or context.session.thread_id
        client, _ = await self._of_thread(thread_id)
        try:
            await client.delete_message(_records.message_id(element_id, thread_id))
        except NotFoundError:
            pass

    async def build_debug_url(self) -> str:
        """There is no page for debugging."""
        return ""

    async def close(self) -> None:
        """Closes the connections of the client."""
        await self._client.close()

    async def _save(self, client: AsyncClient, thread_id: str, author: str | None, new: NewMessage) -> None:
        if author is not None:
            await self._registry.save_author(thread_id, author)
        metadata = creation_of(None, author, None, None)["metadata"]
        try:
            await settled(client._run(_operations.append_or_create(thread_id, [new], metadata)))
        except ConflictError:
            # The step is there with another content: this is an update.
            await client.update_message(str(new.id), parts=list(new.parts or []))

    async def _file(self, client: AsyncClient, element: Element) -> Part | None:
        mime = element.mime or "application/octet-stream"
        content: bytes | str | None = element.content
        if element.path:
            content = await asyncio.to_thread(Path(element.path).read_bytes)
        if content is None:
            return None
        data = content.encode() if isinstance(content, str) else content
        try:
            url = await client.attach(data, media_type=mime, filename=element.name or None)
        except ScrollbackError as error:
            if error.retryable:
                raise
            _LOG.warning("the file of element %s is not stored: %s", element.id, error)
            return None
        file = {"mediaType": mime, "url": url, **({"filename": element.name} if element.name else {})}
        return {"file": file}

    async def _elements(self, client: AsyncClient, messages: list[Message]) -> list[ElementDict]:
        found = [(message, element) for message in messages if (element := _records.element_of(message))]
        files = {message.id: id for message, _ in found if (id := _records.attachment_id(message))}
        urls = await client.download_urls(list(files.values())) if files else {}
        for message, element in found:
            if url := urls.get(files.get(message.id, "")):
                element["url"] = url
        return [element for _, element in found]

    async def _of_thread(self, thread_id: str) -> tuple[AsyncClient, str | None]:
        """The client for a thread, and the identifier of its user."""
        author = await self._author(thread_id)
        return (self._client.acting_as(author) if author and self._act_as else self._client), author

    async def _author(self, thread_id: str) -> str | None:
        if self._current_thread() == thread_id and context.session.user is not None:
            identifier: str = context.session.user.identifier
            return identifier
        return await self._registry.author(thread_id)

    def _current_thread(self) -> str | None:
        try:
            thread_id: str = context.session.thread_id
        except ChainlitContextException:
            return None
        return thread_id


def _user(record: Conversation) -> PersistedUser:
    kept = record.metadata["user"]
    identifier = record.metadata["identifier"]
    # The id is the identifier: Chainlit passes either, and the server knows users by one name.
    return PersistedUser(
        id=identifier,
        identifier=identifier,
        display_name=kept["display_name"],
        metadata=kept["metadata"],
        createdAt=record.created_at,
    )


