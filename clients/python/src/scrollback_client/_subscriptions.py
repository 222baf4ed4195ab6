"""The subscriptions of both clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import _decode, _documents
from ._events import Subscription
from ._http import Call, Operation, Settings
from ._operations import MOST_ITEMS
from ._types import Change, FollowedMessage, TextChunk

Json = dict[str, Any]


@dataclass
class MessageSubscription(Subscription[FollowedMessage]):
    """The new messages of a conversation.

    Without a cursor it starts after the newest message. A conversation without messages has no cursor to start from: then
    everything that is in it later is new, and is read where the stream may have missed it.
    """

    _was_empty: bool = field(default=False, init=False)

    def prepare(self) -> Operation[list[FollowedMessage]]:
        if self.variables["after"] is not None:
            return []
        if self._was_empty:
            return (yield from self._read(before=None))
        edges = yield from self._edges(last=1)
        if edges:
            self.variables["after"] = edges[-1].cursor
        self._was_empty = not edges
        return []

    def before(self, item: FollowedMessage) -> Operation[list[FollowedMessage]]:
        if self.variables["after"] is not None:
            return []
        return (yield from self._read(before=item.cursor))

    def _read(self, before: str | None) -> Operation[list[FollowedMessage]]:
        found: list[FollowedMessage] = []
        while True:
            after = found[-1].cursor if found else None
            edges = yield from self._edges(first=MOST_ITEMS, after=after, before=before)
            found += edges
            if len(edges) < MOST_ITEMS:
                return found

    def _edges(self, **arguments: Any) -> Operation[list[FollowedMessage]]:
        answer = yield Call(_documents.EDGES, _decode.given(id=self.variables["id"], **arguments))
        return [_followed(edge) for edge in answer.data["conversation"]["messages"]["edges"]]


@dataclass
class TextSubscription(Subscription[TextChunk]):
    """The text of a message. The chunk with the final status is the last one."""

    def delivered(self, item: TextChunk) -> None:
        super().delivered(item)
        self.completed = item.status != "STREAMING"


@dataclass
class ChangeSubscription(Subscription[Change]):
    """The changes of the feed. Without a cursor it starts now."""

    def prepare(self) -> Operation[list[Change]]:
        if self.variables["after"] is None:
            answer = yield Call(_documents.CHANGE_CURSOR)
            self.variables["after"] = answer.data["conversations"]["changeCursor"]
        return []


def follow(settings: Settings, conversation_id: str, after: str | None) -> Subscription[FollowedMessage]:
    return MessageSubscription(
        query=_documents.FOLLOW,
        variables={"id": conversation_id, "after": after},
        root="messageAdded",
        decode=_followed,
        resume=_after_cursor,
        settings=settings,
    )


def changes(settings: Settings, after: str | None) -> Subscription[Change]:
    return ChangeSubscription(
        query=_documents.CHANGES,
        variables={"after": after},
        root="changes",
        decode=_decode.change,
        resume=_after_cursor,
        settings=settings,
    )


def text(settings: Settings, message_id: str, offset: int) -> Subscription[TextChunk]:
    return TextSubscription(
        query=_documents.FOLLOW_TEXT,
        variables={"id": message_id, "offset": offset},
        root="messageText",
        decode=lambda chunk: TextChunk(chunk["offset"], chunk["text"], chunk["status"]),
        resume=_after_text,
        settings=settings,
    )


def _followed(edge: Json) -> FollowedMessage:
    return FollowedMessage(edge["cursor"], _decode.message(edge["node"]))


def _after_cursor(variables: Json, item: FollowedMessage | Change) -> None:
    variables["after"] = item.cursor


def _after_text(variables: Json, chunk: TextChunk) -> None:
    # Python counts code points, as offsets do.
    variables["offset"] = chunk.offset + len(chunk.text)
