"""The operations of both clients: which calls they are, and what becomes of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import _decode, _documents
from ._decode import given, message_input
from ._errors import NotFoundError, ScrollbackError
from ._http import Call, Operation
from ._ids import new_id
from ._types import Conversation, DeletedMessage, Message, NewMessage, Page, SearchHit

MOST_ITEMS = 100
"""The most messages of an append, and of a page."""

# Well below `server.body_limit`.
_MOST_BYTES = 4 * 1024 * 1024

Json = dict[str, Any]


def viewer_id() -> Operation[str]:
    answer = yield Call(_documents.VIEWER)
    return str(answer.data["viewer"]["id"])


def conversation(id: str) -> Operation[Conversation | None]:
    try:
        answer = yield Call(_documents.CONVERSATION_BY_ID, {"id": id})
    except NotFoundError:
        return None
    return _decode.conversation(answer.data["conversation"])


def conversations(**arguments: Any) -> Operation[Page[Conversation]]:
    answer = yield Call(_documents.CONVERSATIONS, given(**arguments))
    return _decode.conversation_page(answer.data["conversations"])


def create_conversation(input: Json) -> Operation[Conversation]:
    answer = yield Call(_documents.CREATE_CONVERSATION, {"input": input})
    return _decode.conversation(answer.data["createConversation"]["conversation"])


def update_conversation(input: Json) -> Operation[Conversation]:
    answer = yield Call(_documents.UPDATE_CONVERSATION, {"input": input})
    return _decode.conversation(answer.data["updateConversation"]["conversation"])


def delete_conversation(id: str) -> Operation[bool]:
    """Whether there was one."""
    try:
        yield Call(_documents.DELETE_CONVERSATION, {"id": id})
    except NotFoundError:
        return False
    return True


def clear_conversation(id: str) -> Operation[None]:
    yield Call(_documents.CLEAR_CONVERSATION, {"id": id})


def history(id: str, **arguments: Any) -> Operation[Page[Message] | None]:
    """A page of messages, or ``None`` if there is no such conversation. A page that is too large to send is made smaller."""
    size_name = "first" if "first" in arguments else "last"
    size = arguments.get(size_name) or MOST_ITEMS
    while True:
        arguments[size_name] = size
        try:
            answer = yield Call(_documents.HISTORY, given(id=id, **arguments))
        except NotFoundError:
            return None
        except ScrollbackError as error:
            if error.code != "QUERY_TOO_COMPLEX" or size == 1:
                raise
            size = max(1, size // 4)
            continue
        return _decode.message_page(answer.data["conversation"]["messages"])


def newest(id: str, count: int) -> Operation[list[Message] | None]:
    """The newest messages that are not deleted, oldest first. ``None`` if there is no such conversation."""
    pages: list[list[Message]] = []
    before: str | None = None
    while True:
        size = min(MOST_ITEMS, count - sum(map(len, pages)))
        page = yield from history(id, last=size, before=before, includeDeleted=False)
        if page is None:
            return None if before is None else _joined(pages)
        pages.append(page.nodes)
        before = page.start_cursor
        if not page.has_previous_page or sum(map(len, pages)) >= count:
            return _joined(pages)


def _joined(pages: Sequence[list[Message]]) -> list[Message]:
    return [message for page in reversed(pages) for message in page]


def all_messages(id: str) -> Operation[list[Message] | None]:
    """All messages that are not deleted, oldest first. ``None`` if there is no such conversation."""
    messages: list[Message] = []
    after: str | None = None
    while True:
        page = yield from history(id, first=MOST_ITEMS, after=after, includeDeleted=False)
        if page is None:
            return None if after is None else messages
        messages.extend(page.nodes)
        after = page.end_cursor
        if not page.has_next_page:
            return messages


def batches(messages: Iterable[NewMessage]) -> Iterator[list[Json]]:
    """The inputs of messages, in groups that one request can hold."""
    batch: list[Json] = []
    size = 0
    for input in map(message_input, messages):
        length = len(json.dumps(input, separators=(",", ":")))
        if batch and (len(batch) == MOST_ITEMS or size + length > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(input)
        size += length
    if batch:
        yield batch


def append(id: str, messages: Iterable[NewMessage]) -> Operation[list[Message]]:
    appended: list[Message] = []
    for batch in batches(messages):
        answer = yield Call(_documents.APPEND, {"input": {"conversationId": id, "messages": batch}})
        appended += map(_decode.message, answer.data["appendMessages"]["messages"])
    return appended


def append_or_create(id: str, messages: Sequence[NewMessage], metadata: Mapping[str, Any]) -> Operation[None]:
    """Appends to a conversation, which is created if it does not exist: one request, or two the first time."""
    for batch in batches(messages):
        appends = {"append": {"conversationId": id, "messages": batch}}
        try:
            yield Call(_documents.WRITE, appends)
        except NotFoundError:
            create = {"id": id, "metadata": dict(metadata)}
            yield Call(_documents.CREATE_AND_WRITE, {"create": create, **appends})


def replace(id: str, messages: Sequence[NewMessage], metadata: Mapping[str, Any]) -> Operation[None]:
    """Removes all messages of a conversation, and appends others.

    These are two requests: the first one is repeated until its outcome is known, because it also removes what is
    appended before it arrives again.
    """
    try:
        yield from clear_conversation(id)
    except NotFoundError:
        pass
    yield from append_or_create(id, messages, metadata)


def update_message(input: Json) -> Operation[Message]:
    answer = yield Call(_documents.UPDATE_MESSAGE, {"input": input})
    return _decode.message(answer.data["updateMessage"]["message"])


def delete_message(id: str) -> Operation[DeletedMessage]:
    # With an id of its own, the deletion stays ours when its answer is lost and it is repeated.
    answer = yield Call(_documents.DELETE_MESSAGE, {"id": id, "deletion": new_id()})
    deleted = answer.data["deleteMessage"]
    return DeletedMessage(_decode.message(deleted["message"]), deleted["wasDeleted"])


def pop(id: str) -> Operation[Message | None]:
    """Deletes the newest message and returns it as it was. Of several that pop at the same time, one gets it."""
    while True:
        page = yield from history(id, last=1, includeDeleted=False)
        if page is None or not page.nodes:
            return None
        message = page.nodes[-1]
        try:
            deleted = yield from delete_message(message.id)
        except NotFoundError:
            continue
        if not deleted.was_deleted:
            return message


def set_feedback(input: Json) -> Operation[Message]:
    answer = yield Call(_documents.SET_FEEDBACK, {"input": input})
    return _decode.message(answer.data["setMessageFeedback"]["message"])


def messages_by_id(ids: Sequence[str]) -> Operation[list[Message | None]]:
    answer = yield Call(_documents.MESSAGES_BY_ID, {"ids": list(ids)})
    return [_decode.message(node) if node else None for node in answer.data["nodes"]]


def search(**arguments: Any) -> Operation[Page[SearchHit]]:
    answer = yield Call(_documents.SEARCH, given(**arguments))
    return _decode.search_page(answer.data["searchMessages"])


def stop(message_id: str) -> Operation[None]:
    yield Call(_documents.STOP, {"id": message_id})


def create_attachment(content: bytes, media_type: str, filename: str | None) -> Operation[tuple[str, Json | None]]:
    """The id of an attachment, and where to send its content if the server does not have it."""
    input = given(
        id=new_id(),
        filename=filename,
        mediaType=media_type,
        byteSize=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    answer = yield Call(_documents.CREATE_ATTACHMENT, {"input": input})
    created = answer.data["createAttachment"]
    return created["attachment"]["id"], created["upload"]


def download_urls(ids: Sequence[str]) -> Operation[dict[str, str]]:
    answer = yield Call(_documents.DOWNLOAD_URLS, {"ids": list(ids)})
    return {node["id"]: node["downloadUrl"] for node in answer.data["nodes"] if node and node["downloadUrl"]}
