"""Chainlit's dictionaries as messages, and back."""

from __future__ import annotations

from typing import Any, cast

from chainlit.element import ElementDict
from chainlit.step import StepDict
from chainlit.types import FeedbackDict

from .._ids import derived_id, is_uuid
from .._items import Parts, item_of, parts_of
from .._types import Message, NewMessage, Part, Role

Json = dict[str, Any]

STEP = "chainlit"
ELEMENT = "chainlit-element"

_ROLES: dict[str, Role] = {"user_message": "USER", "assistant_message": "ASSISTANT", "system_message": "SYSTEM"}


def message_id(id: str, thread_id: str) -> str:
    """The id of the message of a step or an element of a thread."""
    return id.lower() if is_uuid(id) else derived_id("chainlit-message", thread_id, id)


def step_message(step: StepDict) -> NewMessage:
    """The message of a step. Its feedback is set apart."""
    item = cast(Json, {key: value for key, value in step.items() if key != "feedback"})
    kind = str(item.get("type") or "step")
    typed = Parts()
    if kind == "tool":
        typed.finished_call(
            item["id"],
            item.get("name"),
            input=(["input"], item.get("input")),
            output=(["output"], item.get("output")),
            error=bool(item.get("isError")),
        )
    else:
        typed.text(["output"], item.get("output"))
    id = message_id(item["id"], item["threadId"])
    return NewMessage(_ROLES.get(kind, "ASSISTANT"), parts=parts_of(STEP, kind, item, typed), id=id)


def step_of(message: Message, thread_id: str) -> StepDict | None:
    """The step of a message. One that somebody else wrote is a message of Chainlit's. ``None``: it is no step."""
    if item_of(ELEMENT, message) is not None:
        return None
    item = item_of(STEP, message)
    if item is None:
        kind = {"USER": "user_message", "SYSTEM": "system_message"}.get(message.role, "assistant_message")
        item = {
            "id": message.id,
            "threadId": thread_id,
            "name": message.role.lower(),
            "type": kind,
            "input": "",
            "output": message.content,
            "createdAt": message.created_at,
            "metadata": message.metadata,
        }
    step = cast(StepDict, item)
    step["feedback"] = _feedback(message, thread_id, step["id"])
    return step


def feedback_id(thread_id: str, step_id: str) -> str:
    """A step has one feedback, so its id is made of theirs."""
    return f"{thread_id}:{step_id}"


def _feedback(message: Message, thread_id: str, step_id: str) -> FeedbackDict | None:
    feedback = message.feedback
    if not feedback or feedback["rating"] is None:
        return None
    return FeedbackDict(
        forId=step_id,
        id=feedback_id(thread_id, step_id),
        value=1 if feedback["rating"] == "UP" else 0,
        comment=feedback["comment"],
    )


def element_message(element: Json, file: Part | None) -> NewMessage:
    """The message of an element: the element itself, and its file."""
    parts = parts_of(ELEMENT, ELEMENT, element, Parts())
    id = message_id(element["id"], element["threadId"])
    return NewMessage("ASSISTANT", parts=[*parts, *([file] if file else [])], id=id)


def element_of(message: Message) -> ElementDict | None:
    """The element of a message. ``None``: it is no element."""
    return cast("ElementDict | None", item_of(ELEMENT, message))


def attachment_id(message: Message) -> str | None:
    """The id of the attachment of an element, if its file is on the server."""
    urls = [part["file"]["url"] for part in message.parts if "file" in part]
    found = [url.removeprefix("attachment:") for url in urls if url.startswith("attachment:")]
    return found[0] if found else None
