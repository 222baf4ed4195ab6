"""A message history for LangChain: ``pip install scrollback-client[langchain]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    message_to_dict,
    messages_from_dict,
)

from ._async_client import AsyncClient
from ._client import Client
from ._items import Parts, item_of, parts_of
from ._store import Conversations
from ._types import Message, NewMessage, Role

_FRAMEWORK = "langchain"
_ROLES: dict[str, Role] = {
    "human": "USER",
    "ai": "ASSISTANT",
    "system": "SYSTEM",
    "tool": "TOOL",
    "function": "TOOL",
    "HumanMessageChunk": "USER",
    "AIMessageChunk": "ASSISTANT",
    "SystemMessageChunk": "SYSTEM",
    "ToolMessageChunk": "TOOL",
}
_COUNTS = {"input_tokens": "inputTokens", "output_tokens": "outputTokens", "total_tokens": "totalTokens"}


class ScrollbackChatMessageHistory(BaseChatMessageHistory):
    """The messages of a session.

    Messages come back equal to those that were added. Texts can be searched, and calls of tools are tool parts.

    Args:
        session_id: a UUID, which is then the id of the conversation, or any other name.
        client: for the synchronous methods.
        async_client: for the asynchronous methods. Without it they run the synchronous ones in a thread.
        history_size: how many messages to read: the newest. ``None``: all.
        namespace: sessions with the same name in another namespace are others.
    """

    def __init__(
        self,
        session_id: str,
        *,
        client: Client | None = None,
        async_client: AsyncClient | None = None,
        history_size: int | None = None,
        namespace: str = _FRAMEWORK,
    ) -> None:
        if history_size is not None and history_size < 1:
            raise ValueError(f"history_size must be at least 1, got {history_size}")
        self.session_id = session_id
        self.history_size = history_size
        self._conversations = Conversations(client, async_client, namespace)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """The messages, oldest first."""
        return _restored(self._conversations.run(self._read()))

    async def aget_messages(self) -> list[BaseMessage]:
        """The messages, oldest first."""
        if self._conversations.async_client is None:
            return await super().aget_messages()
        return _restored(await self._conversations.run_async(self._read()))

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Adds messages at the end. It is retried while the server is away, and adds nothing twice."""
        if messages:
            self._conversations.run(self._conversations.append(self.session_id, list(map(_message, messages))))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Adds messages at the end."""
        if self._conversations.async_client is None:
            await super().aadd_messages(messages)
        elif messages:
            appended = self._conversations.append(self.session_id, list(map(_message, messages)))
            await self._conversations.run_async(appended)

    def clear(self) -> None:
        """Removes all messages. The conversation stays, with its id."""
        self._conversations.run(self._conversations.replace(self.session_id, []))

    async def aclear(self) -> None:
        """Removes all messages."""
        if self._conversations.async_client is None:
            await super().aclear()
        else:
            await self._conversations.run_async(self._conversations.replace(self.session_id, []))

    def _read(self) -> Any:
        if self.history_size is None:
            return self._conversations.read(self.session_id)
        return self._conversations.newest(self.session_id, self.history_size)


def _message(message: BaseMessage) -> NewMessage:
    item = message_to_dict(message)
    data = item["data"]
    typed = Parts()
    if message.type.startswith(("tool", "Tool")):
        name = data.get("name") or "tool"
        error = data.get("status") == "error"
        typed.result(data["tool_call_id"], name, path=["data", "content"], output=data["content"], error=error)
    else:
        _contents(typed, data["content"])
    for at, call in enumerate(data.get("tool_calls") or []):
        typed.call(call["id"], call["name"], path=["data", "tool_calls", at, "args"], input=call["args"])
    return NewMessage(
        _ROLES.get(message.type, "ASSISTANT"),
        parts=parts_of(_FRAMEWORK, message.type, item, typed),
        usage=_usage(data.get("usage_metadata")),
    )


def _contents(typed: Parts, content: Any) -> None:
    if isinstance(content, str):
        typed.text(["data", "content"], content)
        return
    for at, block in enumerate(content):
        if isinstance(block, str):
            typed.text(["data", "content", at], block)
        elif block.get("type") == "text":
            typed.text(["data", "content", at, "text"], block.get("text"))
        elif block.get("type") == "reasoning":
            typed.text(["data", "content", at, "reasoning"], block.get("reasoning"), "reasoning")


def _usage(counts: Any) -> dict[str, int] | None:
    if not isinstance(counts, dict):
        return None
    found = {name: counts.get(key) for key, name in _COUNTS.items()}
    return {name: count for name, count in found.items() if isinstance(count, int) and abs(count) < 2**31} or None


def _restored(messages: Sequence[Message] | None) -> list[BaseMessage]:
    return [_base_message(message) for message in messages or []]


def _base_message(message: Message) -> BaseMessage:
    item = item_of(_FRAMEWORK, message)
    if item is not None:
        (restored,) = messages_from_dict([item])
        return restored
    # Somebody else wrote it.
    if message.role == "USER":
        return HumanMessage(message.content)
    return SystemMessage(message.content) if message.role == "SYSTEM" else AIMessage(message.content)
