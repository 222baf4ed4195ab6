"""A session of the OpenAI Agents SDK: ``pip install scrollback-client[openai-agents]``."""

from __future__ import annotations

import copy
import json
from typing import Any, TypeVar, cast

from agents.items import TResponseInputItem
from agents.memory.session import SessionABC
from agents.memory.session_settings import SessionSettings, coerce_session_settings, resolve_session_limit

from . import _operations
from ._async_client import AsyncClient
from ._asyncio import settled
from ._http import Operation
from ._ids import conversation_id
from ._items import Parts, dumps, item_of, parts_of
from ._types import Message, NewMessage, Role

T = TypeVar("T")

_FRAMEWORK = "openai-agents"
_ROLES: dict[str, Role] = {"user": "USER", "assistant": "ASSISTANT", "system": "SYSTEM", "developer": "SYSTEM"}
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal")


class ScrollbackSession(SessionABC):
    """The items of a conversation with an agent.

    Items come back exactly as they were added. Each item is a message of the conversation: texts can be searched, and
    calls of functions are tool parts. Messages that others wrote to the conversation are given as messages with a text.

    Args:
        session_id: a UUID, which is then the id of the conversation, or any other name.
        client: the client, shared by all sessions. Use ``client.acting_as(user)`` for the sessions of a user.
        session_settings: the settings of the SDK, for example how many items a run reads.
        namespace: sessions with the same name in another namespace are others.
    """

    session_settings: SessionSettings | None = None

    def __init__(
        self,
        session_id: str,
        *,
        client: AsyncClient,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        namespace: str = _FRAMEWORK,
    ) -> None:
        self.session_id = session_id
        self.session_settings = coerce_session_settings(session_settings or {})
        self._client = client
        self._namespace = namespace
        self._id: str | None = None

    async def conversation_id(self) -> str:
        """The id of the conversation, for example for ``client.follow``."""
        if self._id is None:
            owner = await self._client.viewer_id()
            self._id = conversation_id(self.session_id, owner=owner, namespace=self._namespace)
        return self._id

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest ``limit`` items, oldest first. Without a limit: that of the settings, or all."""
        limit = resolve_session_limit(limit, self.session_settings)
        if limit is not None and limit <= 0:
            return []
        id = await self.conversation_id()
        reading = _operations.all_messages(id) if limit is None else _operations.newest(id, limit)
        return [_item(message) for message in await self._run(reading) or []]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Adds items at the end. It is retried while the server is away, and adds nothing twice."""
        if not items:
            return
        id = await self.conversation_id()
        metadata = {"sessionId": self.session_id, "namespace": self._namespace}
        names: dict[str, str] = {}
        messages = [_message(cast(dict[str, Any], item), names) for item in items]
        await settled(self._run(_operations.append_or_create(id, messages, metadata)))

    async def pop_item(self) -> TResponseInputItem | None:
        """Removes the newest item and returns it."""
        message = await settled(self._run(_operations.pop(await self.conversation_id())))
        return None if message is None else _item(message)

    async def clear_session(self) -> None:
        """Removes all items. The conversation stays, with its id."""
        await settled(self._run(_operations.replace(await self.conversation_id(), [], {})))

    async def _run(self, operation: Operation[T]) -> T:
        return await self._client._run(operation)


def _message(item: dict[str, Any], names: dict[str, str]) -> NewMessage:
    """The message of an item. ``names`` has the tools of the calls before it, by the ids of the calls."""
    given, author = item.get("type"), item.get("role")
    kind = given if isinstance(given, str) and given else "message" if "role" in item else "item"
    typed = Parts()
    role = _ROLES.get(author, "ASSISTANT") if isinstance(author, str) else "ASSISTANT"
    if kind == "message":
        _texts(typed, "content", item.get("content"))
    elif kind == "reasoning":
        _texts(typed, "summary", item.get("summary"), "reasoning")
        _texts(typed, "content", item.get("content"), "reasoning")
    elif kind.endswith("_call_output"):
        role = "TOOL"
        call_id = item.get("call_id")
        tool = names.get(call_id, kind) if isinstance(call_id, str) else kind
        typed.result(call_id, tool, path=["output"], output=item.get("output"))
    elif kind in ("function_call", "custom_tool_call", "mcp_call"):
        call_id, name = item.get("call_id", item.get("id")), item.get("name")
        if isinstance(call_id, str) and isinstance(name, str):
            names[call_id] = name
        field = "input" if kind == "custom_tool_call" else "arguments"
        value = item.get(field)
        typed.call(call_id, name, path=[field], input=value, known=_decoded(value))
    return NewMessage(role, parts=parts_of(_FRAMEWORK, kind, item, typed))


def _texts(typed: Parts, field: str, content: Any, kind: str = "text") -> None:
    if isinstance(content, str):
        typed.text([field], content, kind)
    elif isinstance(content, list):
        for at, part in enumerate(content):
            if isinstance(part, dict) and part.get("type") in _TEXTS:
                name = "refusal" if part["type"] == "refusal" else "text"
                typed.text([field, at, name], part.get(name), kind)


def _decoded(arguments: Any) -> Any:
    """The arguments of a call, which the SDK has as a text of JSON, where that is an object."""
    try:
        value = json.loads(arguments)
        dumps(value)
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _item(message: Message) -> TResponseInputItem:
    item = item_of(_FRAMEWORK, message)
    if item is None:
        role = "system" if message.role == "SYSTEM" else "user" if message.role == "USER" else "assistant"
        item = {"role": role, "content": message.content}
    return cast(TResponseInputItem, copy.deepcopy(item))
