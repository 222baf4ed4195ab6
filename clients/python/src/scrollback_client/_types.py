"""What the client takes and gives. Names are those of the GraphQL schema, in Python's spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

Role = Literal["USER", "ASSISTANT", "SYSTEM", "TOOL"]
MessageStatus = Literal["STREAMING", "COMPLETE", "INTERRUPTED", "FAILED"]
Part = dict[str, dict[str, Any]]
"""A part of a message as ``MessagePartInput`` has it: ``{"text": {"text": "Hello"}}``. What is read can be written again."""

T = TypeVar("T")


@dataclass(frozen=True)
class NewMessage:
    """A message to append. Give either ``content`` or ``parts``.

    Without an ``id`` the client creates one, so that the append can be repeated safely.
    """

    role: Role
    content: str | None = None
    parts: Sequence[Part] | None = None
    id: str | None = None
    model: str | None = None
    usage: Mapping[str, int] | None = None
    metadata: Mapping[str, Any] | None = None
    status: MessageStatus | None = None


@dataclass(frozen=True)
class Message:
    """A message of a conversation."""

    id: str
    position: int
    role: Role
    content: str
    parts: list[Part]
    status: MessageStatus
    model: str | None
    metadata: dict[str, Any]
    created_at: str
    edited_at: str | None
    deleted_at: str | None
    feedback: dict[str, Any] | None = None


@dataclass(frozen=True)
class Conversation:
    """A conversation of the viewer's."""

    id: str
    title: str | None
    metadata: dict[str, Any]
    message_count: int
    created_at: str
    updated_at: str
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list, in the order of the list."""

    nodes: list[T]
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None
    change_cursor: str | None = None
    """Only of conversations: pass it to ``changes`` to get everything that happens after this page."""


@dataclass(frozen=True)
class SearchHit:
    """A message that a search found."""

    message: Message
    conversation_id: str
    snippet: str
    cursor: str


@dataclass(frozen=True)
class FollowedMessage:
    """A new message of a conversation that is followed. Continue after it with ``cursor``."""

    cursor: str
    message: Message


@dataclass(frozen=True)
class Change:
    """A change of the feed. Continue after it with ``cursor``."""

    kind: str
    """The name of the type: ``"MessageAdded"``, ``"ConversationUpdated"``, …"""
    cursor: str
    changed_at: str
    conversation_id: str
    actor: str | None
    message_id: str | None = None
    message: Message | None = None
    conversation: Conversation | None = None


@dataclass(frozen=True)
class TextChunk:
    """Text of a message that is being written. Its status is not ``STREAMING`` in the last one."""

    offset: int
    text: str
    status: MessageStatus


@dataclass(frozen=True)
class DeletedMessage:
    """A message after its deletion."""

    message: Message
    was_deleted: bool
    """Whether another call had deleted it before."""
