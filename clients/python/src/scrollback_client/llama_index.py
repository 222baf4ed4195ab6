"""A chat store for LlamaIndex: ``pip install scrollback-client[llama-index]``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store.base import BaseChatStore

from . import _operations
from ._async_client import AsyncClient
from ._client import Client
from ._http import Operation
from ._items import Parts, item_of, parts_of
from ._store import Conversations
from ._types import Message, NewMessage, Role

T = TypeVar("T")

_FRAMEWORK = "llama-index"
_ROLES: dict[str, Role] = {
    "user": "USER",
    "assistant": "ASSISTANT",
    "model": "ASSISTANT",
    "chatbot": "ASSISTANT",
    "system": "SYSTEM",
    "developer": "SYSTEM",
    "tool": "TOOL",
    "function": "TOOL",
}


class ScrollbackChatStore(BaseChatStore):
    """The messages of each key are a conversation.

    Messages come back equal to those that were added. Texts can be searched, and calls of tools are tool parts.

    Args:
        client: for the synchronous methods.
        async_client: for the asynchronous methods. Without it they run the synchronous ones in a thread.
        namespace: keys in another namespace are others.
    """

    _conversations: Conversations = PrivateAttr()

    def __init__(
        self,
        *,
        client: Client | None = None,
        async_client: AsyncClient | None = None,
        namespace: str = _FRAMEWORK,
    ) -> None:
        super().__init__()
        self._conversations = Conversations(client, async_client, namespace)

    @classmethod
    def class_name(cls) -> str:
        """The name of the class."""
        return "ScrollbackChatStore"

    def set_messages(self, key: str, messages: list[ChatMessage]) -> None:
        """Replaces the messages of a key."""
        self._conversations.run(self._set(key, messages))

    async def aset_messages(self, key: str, messages: list[ChatMessage]) -> None:
        """Replaces the messages of a key."""
        if self._conversations.async_client is None:
            await super().aset_messages(key, messages)
        else:
            await self._conversations.run_async(self._set(key, messages))

    def get_messages(self, key: str) -> list[ChatMessage]:
        """The messages of a key, oldest first."""
        return _restored(self._conversations.run(self._conversations.read(key)))

    async def aget_messages(self, key: str) -> list[ChatMessage]:
        """The messages of a key, oldest first."""
        if self._conversations.async_client is None:
            return await super().aget_messages(key)
        return _restored(await self._conversations.run_async(self._conversations.read(key)))

    def add_message(self, key: str, message: ChatMessage, idx: int | None = None) -> None:
        """Adds a message at the end, or before the one with this index."""
        self._conversations.run(self._add(key, message, idx))

    async def async_add_message(self, key: str, message: ChatMessage, idx: int | None = None) -> None:
        """Adds a message at the end, or before the one with this index."""
        if self._conversations.async_client is None:
            await asyncio.to_thread(self.add_message, key, message, idx)
        else:
            await self._conversations.run_async(self._add(key, message, idx))

    def delete_messages(self, key: str) -> list[ChatMessage] | None:
        """Deletes a key, and returns its messages. ``None``: there is no such key."""
        return self._conversations.run(self._delete_all(key))

    async def adelete_messages(self, key: str) -> list[ChatMessage] | None:
        """Deletes a key, and returns its messages. ``None``: there is no such key."""
        if self._conversations.async_client is None:
            return await super().adelete_messages(key)
        return await self._conversations.run_async(self._delete_all(key))

    def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Deletes a message by its index, and returns it. ``None``: there is none."""
        return self._conversations.run(self._delete(key, idx))

    async def adelete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Deletes a message by its index, and returns it. ``None``: there is none."""
        if self._conversations.async_client is None:
            return await super().adelete_message(key, idx)
        return await self._conversations.run_async(self._delete(key, idx))

    def delete_last_message(self, key: str) -> ChatMessage | None:
        """Deletes the last message, and returns it. ``None``: there is none."""
        message = self._conversations.run(self._conversations.pop(key))
        return None if message is None else _chat_message(message)

    async def adelete_last_message(self, key: str) -> ChatMessage | None:
        """Deletes the last message, and returns it. ``None``: there is none."""
        if self._conversations.async_client is None:
            return await super().adelete_last_message(key)
        message = await self._conversations.run_async(self._conversations.pop(key))
        return None if message is None else _chat_message(message)

    def get_keys(self) -> list[str]:
        """All keys. It reads the list of the user's conversations, 100 with each request."""
        return self._conversations.run(self._conversations.keys())

    async def aget_keys(self) -> list[str]:
        """All keys. It reads the list of the user's conversations, 100 with each request."""
        if self._conversations.async_client is None:
            return await super().aget_keys()
        return await self._conversations.run_async(self._conversations.keys())

    def _set(self, key: str, messages: Sequence[ChatMessage]) -> Operation[None]:
        """Appends what is new, if what is there is the beginning: memories set all messages to add one."""
        there = _restored((yield from self._conversations.read(key)))
        if there and there == list(messages[: len(there)]):
            if added := messages[len(there) :]:
                yield from self._conversations.append(key, [_message(message) for message in added])
        else:
            yield from self._conversations.replace(key, [_message(message) for message in messages])

    def _add(self, key: str, message: ChatMessage, idx: int | None) -> Operation[None]:
        if idx is None:
            yield from self._conversations.append(key, [_message(message)])
        else:
            messages = _restored((yield from self._conversations.read(key)))
            messages.insert(idx, message)
            yield from self._set(key, messages)

    def _delete_all(self, key: str) -> Operation[list[ChatMessage] | None]:
        there = yield from self._conversations.read(key)
        if there is None:
            return None
        yield from self._conversations.delete(key)
        return _restored(there)

    def _delete(self, key: str, idx: int) -> Operation[ChatMessage | None]:
        there = (yield from self._conversations.read(key)) or []
        if not -len(there) <= idx < len(there):
            return None
        deleted = yield from _operations.delete_message(there[idx].id)
        return None if deleted.was_deleted else _chat_message(there[idx])


def _message(message: ChatMessage) -> NewMessage:
    item: dict[str, Any] = message.model_dump(mode="json")
    typed = Parts()
    role = _ROLES.get(item["role"], "ASSISTANT")
    result_of = item["additional_kwargs"].get("tool_call_id")
    for at, block in enumerate(item["blocks"]):
        path: list[str | int] = ["blocks", at]
        kind = block["block_type"]
        if kind == "text" and role == "TOOL" and result_of is not None:
            name = item["additional_kwargs"].get("name") or "tool"
            typed.result(result_of, name, path=[*path, "text"], output=block["text"])
        elif kind == "text":
            typed.text([*path, "text"], block["text"])
        elif kind == "thinking":
            typed.text([*path, "content"], block["content"], "reasoning")
        elif kind == "tool_call":
            call_id = block["tool_call_id"] or f"call-{at}"
            typed.call(call_id, block["tool_name"], path=[*path, "tool_kwargs"], input=block["tool_kwargs"])
    return NewMessage(role, parts=parts_of(_FRAMEWORK, "chat-message", item, typed))


def _restored(messages: Sequence[Message] | None) -> list[ChatMessage]:
    return [_chat_message(message) for message in messages or []]


def _chat_message(message: Message) -> ChatMessage:
    item = item_of(_FRAMEWORK, message)
    if item is not None:
        return ChatMessage.model_validate(item)
    # Somebody else wrote it.
    return ChatMessage(role=message.role.lower(), content=message.content)
