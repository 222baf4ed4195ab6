"""Threads as conversations, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainlit.types import ThreadDict

from .._types import Conversation, Message

_TITLE_BYTES = 1024
_LABEL_CHARACTERS = 64


def creation_of(
    name: str | None, author: str | None, metadata: Mapping[str, Any] | None, tags: list[str] | None
) -> dict[str, Any]:
    """The fields of a new conversation."""
    kept = {key: value for key, value in (metadata or {}).items() if value is not None}
    thread = {"user": author, "metadata": kept, "tags": tags}
    return {"title": _title(name), "metadata": {"namespace": "chainlit", "thread": thread}}


def changes_of(
    found: Conversation,
    *,
    name: str | None,
    author: str | None,
    metadata: Mapping[str, Any] | None,
    tags: list[str] | None,
) -> dict[str, Any]:
    """What is to be changed in a conversation, as fields of ``UpdateConversationInput``."""
    before = found.metadata.get("thread") or {}
    kept = {**(before.get("metadata") or {}), **(metadata or {})}
    thread = {
        "user": before.get("user") or author,
        "metadata": {key: value for key, value in kept.items() if value is not None},
        "tags": before.get("tags") if tags is None else tags,
    }
    changes: dict[str, Any] = {}
    if thread != before:
        changes["metadata"] = {**found.metadata, "namespace": "chainlit", "thread": thread}
    title = _title(name)
    if title is not None and title != found.title:
        changes["title"] = title
    if tags is not None:
        there = {label.casefold() for label in found.labels}
        added = [label for label in _labels(tags) if label.casefold() not in there]
        given = {label.casefold() for label in _labels(tags)}
        removed = [label for label in _labels(before.get("tags") or []) if label.casefold() not in given]
        if added:
            changes["addLabels"] = added
        if removed:
            changes["removeLabels"] = removed
    return changes


def thread_dict(found: Conversation, author: str | None) -> ThreadDict:
    """A thread without its steps and elements. The author is that of the metadata, if it has one."""
    thread = found.metadata.get("thread") or {}
    user = thread.get("user") or author
    return ThreadDict(
        id=found.id,
        createdAt=found.created_at,
        name=found.title,
        userId=user,
        userIdentifier=user,
        tags=thread.get("tags"),
        metadata=thread.get("metadata") or {},
        steps=[],
        elements=[],
    )


def is_thread_of(found: Conversation, user: str | None) -> bool:
    """Whether a conversation is a thread, of this user if all users share one account."""
    if "registry" in found.metadata:
        return False
    return user is None or (found.metadata.get("thread") or {}).get("user") == user


def has_feedback(messages: Iterable[Message], value: int) -> bool:
    """Whether a message has this feedback."""
    rating = "UP" if value == 1 else "DOWN"
    return any(message.feedback and message.feedback["rating"] == rating for message in messages)


def _title(name: str | None) -> str | None:
    if name is None:
        return None
    return name.replace("\0", "").encode("utf-8", "replace")[:_TITLE_BYTES].decode("utf-8", "ignore")


def _labels(tags: Iterable[str]) -> list[str]:
    """The tags that can be labels. All of them are in the metadata too."""
    found = {tag.casefold(): tag for tag in tags if 0 < len(tag.strip()) <= _LABEL_CHARACTERS}
    return list(found.values())[:32]
