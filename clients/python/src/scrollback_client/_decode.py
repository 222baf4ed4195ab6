"""From answers of the server to the client's types, and from these to inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._ids import new_id
from ._types import Change, Conversation, Message, NewMessage, Page, Part, SearchHit

Json = dict[str, Any]

_KINDS = {
    "TextPart": "text",
    "ReasoningPart": "reasoning",
    "FilePart": "file",
    "ToolPart": "tool",
    "SourceUrlPart": "sourceUrl",
    "SourceDocumentPart": "sourceDocument",
    "DataPart": "data",
    "CustomPart": "custom",
}


def part(value: Json) -> Part:
    """A part in the form of its input. Fields that are null are left out."""
    name = str(value["__typename"])
    kind = _KINDS.get(name, name)
    return {kind: {key: field for key, field in value.items() if key != "__typename" and field is not None}}


def message(value: Json) -> Message:
    """A message of the fragment ``Full``."""
    return Message(
        id=value["id"],
        position=value["position"],
        role=value["role"],
        content=value["content"],
        parts=[part(item) for item in value["parts"]],
        status=value["status"],
        model=value["model"],
        metadata=value["metadata"],
        created_at=value["createdAt"],
        edited_at=value["editedAt"],
        deleted_at=value["deletedAt"],
        feedback=value["feedback"],
    )


def conversation(value: Json) -> Conversation:
    """A conversation of the fragment ``Summary``."""
    return Conversation(
        id=value["id"],
        title=value["title"],
        metadata=value["metadata"],
        message_count=value["messageCount"],
        created_at=value["createdAt"],
        updated_at=value["updatedAt"],
        labels=value["labels"],
    )


def conversation_page(value: Json) -> Page[Conversation]:
    """A page of conversations."""
    return Page(
        nodes=[conversation(node) for node in value["nodes"]],
        change_cursor=value["changeCursor"],
        **cursors(value["pageInfo"]),
    )


def message_page(value: Json) -> Page[Message]:
    """A page of messages."""
    return Page(nodes=[message(node) for node in value["nodes"]], **cursors(value["pageInfo"]))


def search_page(value: Json) -> Page[SearchHit]:
    """A page of search results."""
    hits = [
        SearchHit(message(edge["node"]), edge["node"]["conversation"]["id"], edge["snippet"], edge["cursor"])
        for edge in value["edges"]
    ]
    return Page(nodes=hits, **cursors(value["pageInfo"]))


def cursors(value: Json) -> Json:
    """The fields of a page that say how to go on."""
    return {
        "has_next_page": value["hasNextPage"],
        "has_previous_page": value["hasPreviousPage"],
        "start_cursor": value["startCursor"],
        "end_cursor": value["endCursor"],
    }


def change(value: Json) -> Change:
    """A change of the feed. Kinds that this client does not know have no more than their common fields."""
    changed_message, changed_conversation = value.get("message"), value.get("conversation")
    return Change(
        kind=value["__typename"],
        cursor=value["cursor"],
        changed_at=value["changedAt"],
        conversation_id=value["conversationId"],
        actor=value["actor"],
        message_id=value.get("messageId"),
        message=message(changed_message) if changed_message else None,
        conversation=conversation(changed_conversation) if changed_conversation else None,
    )


def given(**fields: Any) -> Json:
    """The fields that are not ``None``."""
    return {name: value for name, value in fields.items() if value is not None}


def message_input(new: NewMessage) -> Json:
    """The input of a message to append, with an id."""
    return given(
        id=new.id or new_id(),
        role=new.role,
        content=new.content,
        parts=None if new.parts is None else list(new.parts),
        model=new.model,
        usage=None if new.usage is None else dict(new.usage),
        metadata=None if new.metadata is None else dict(new.metadata),
        status=new.status,
    )


def mapping(value: Mapping[str, Any] | None) -> Json | None:
    """A copy as a dictionary."""
    return None if value is None else dict(value)
