"""The chat store for LlamaIndex: each test runs with the synchronous methods and with the asynchronous ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from server import Server, token

from scrollback_client import AsyncClient, Client
from scrollback_client.llama_index import ScrollbackChatStore

MESSAGES = [
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), ImageBlock(image=b"picture", image_mimetype="image/png")]),
    ChatMessage(
        role="assistant",
        blocks=[
            ThinkingBlock(content="Hm."),
            ToolCallBlock(tool_call_id="c1", tool_name="look", tool_kwargs={"z": 1, "a": 2.0}),
            TextBlock(text="Let me see."),
        ],
        additional_kwargs={"n": 1.0, "nested": {"b": None}},
    ),
    ChatMessage(role="tool", content="a cat", additional_kwargs={"tool_call_id": "c1", "name": "look"}),
    ChatMessage(role="chatbot", content=""),
    ChatMessage(role="developer", content="NUL \0 and 🌍"),
    ChatMessage(role="user", blocks=[]),
]

ASYNC_NAMES = {"add_message": "async_add_message"}


class Waiting:
    """Calls the asynchronous methods of a store, under the names of the synchronous ones."""

    def __init__(self, store: ScrollbackChatStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self._loop = store, loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, ASYNC_NAMES.get(name, f"a{name}"))
        return lambda *given, **named: self._loop.run_until_complete(method(*given, **named))


@pytest.fixture(params=["sync", "async", "threads"])
def store(request: pytest.FixtureRequest, server: Server, user: str) -> Iterator[Any]:
    loop = asyncio.new_event_loop()
    client, async_client = Client(server.url, token(user)), AsyncClient(server.url, token(user))
    if request.param == "sync":
        yield ScrollbackChatStore(client=client)
    elif request.param == "async":
        yield Waiting(ScrollbackChatStore(async_client=async_client), loop)
    else:
        yield Waiting(ScrollbackChatStore(client=client), loop)
    loop.run_until_complete(async_client.close())
    client.close()
    loop.close()


def user_message(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def test_messages_are_added_to_their_keys_and_come_back_equal(store: Any) -> None:
    for message in MESSAGES:
        store.add_message("ada", message)
    store.add_message("bob", user_message("hello"))
    assert store.get_messages("ada") == MESSAGES
    assert store.get_messages("bob") == [user_message("hello")]
    assert store.get_messages("nobody") == []
    assert store.get_keys() == ["ada", "bob"]


def test_a_message_is_added_before_another(store: Any) -> None:
    for text in ("b", "c"):
        store.add_message("ada", user_message(text))
    store.add_message("ada", user_message("a"), idx=0)
    store.add_message("ada", user_message("d"), idx=3)
    assert [message.content for message in store.get_messages("ada")] == ["a", "b", "c", "d"]


def test_messages_are_set(store: Any) -> None:
    store.set_messages("ada", MESSAGES[:3])
    assert store.get_messages("ada") == MESSAGES[:3]
    store.set_messages("ada", MESSAGES)
    assert store.get_messages("ada") == MESSAGES
    store.set_messages("ada", MESSAGES[2:])
    assert store.get_messages("ada") == MESSAGES[2:]
    store.set_messages("ada", [])
    assert store.get_messages("ada") == []
    many = [user_message(str(number)) for number in range(210)]
    store.set_messages("ada", many)
    assert store.get_messages("ada") == many


def test_the_messages_of_a_key_are_deleted(store: Any) -> None:
    for key in ("ada", "bob"):
        store.add_message(key, user_message(key))
    assert store.delete_messages("ada") == [user_message("ada")]
    assert store.delete_messages("ada") is None
    assert store.get_messages("ada") == [] and store.get_messages("bob") == [user_message("bob")]
    assert store.get_keys() == ["bob"]
    store.add_message("ada", user_message("again"))
    assert store.get_messages("ada") == [user_message("again")]


def test_a_message_is_deleted_by_its_index(store: Any) -> None:
    for text in "abcd":
        store.add_message("ada", user_message(text))
    assert store.delete_message("ada", 1) == user_message("b")
    assert store.delete_message("ada", 1) == user_message("c")
    assert store.delete_message("ada", -1) == user_message("d")
    for out_of_bounds in (1, 7, -2):
        assert store.delete_message("ada", out_of_bounds) is None
    assert store.delete_message("nobody", 0) is None
    assert store.get_messages("ada") == [user_message("a")]


def test_the_last_message_is_deleted(store: Any) -> None:
    for text in "ab":
        store.add_message("ada", user_message(text))
    assert store.delete_last_message("ada") == user_message("b")
    assert store.delete_last_message("ada") == user_message("a")
    assert store.delete_last_message("ada") is None and store.delete_last_message("nobody") is None


def test_keys_are_those_of_the_namespace(server: Server, user: str) -> None:
    with Client(server.url, token(user)) as client:
        first, second = ScrollbackChatStore(client=client), ScrollbackChatStore(client=client, namespace="other")
        first.add_message("ada", user_message("one"))
        second.add_message("ada", user_message("two"))
        second.add_message("bob", user_message("three"))
        client.create_conversation(title="of somebody else")
        assert (first.get_keys(), second.get_keys()) == (["ada"], ["ada", "bob"])
        assert first.get_messages("ada") == [user_message("one")]
        with pytest.raises(ValueError, match="client"):
            ScrollbackChatStore()
        with pytest.raises(RuntimeError, match="async_client"):
            asyncio.run(first._conversations.run_async(first._conversations.read("ada")))


def test_texts_can_be_searched_and_calls_are_tool_parts(sync_client: Client) -> None:
    ScrollbackChatStore(client=sync_client).set_messages("ada", MESSAGES)
    (hit,) = sync_client.search("what this").nodes
    messages = list(sync_client.messages(hit.conversation_id))
    assert [message.role for message in messages[:4]] == ["SYSTEM", "USER", "ASSISTANT", "TOOL"]
    assert [list(part)[0] for part in messages[2].parts] == ["reasoning", "tool", "text"]
    assert messages[2].parts[1]["tool"]["input"] == {"z": 1, "a": 2.0}
    assert messages[3].parts[0]["tool"]["output"] == "a cat"


def test_setting_more_messages_only_appends(sync_client: Client) -> None:
    store = ScrollbackChatStore(client=sync_client)
    store.set_messages("ada", MESSAGES[:2])
    (conversation,) = sync_client.conversations().nodes
    before = [message.id for message in sync_client.messages(conversation.id)]
    store.set_messages("ada", MESSAGES[:4])
    assert [message.id for message in sync_client.messages(conversation.id)][:2] == before


def test_a_memory_uses_the_store(sync_client: Client) -> None:
    def memory() -> ChatMemoryBuffer:
        return ChatMemoryBuffer.from_defaults(
            chat_store=ScrollbackChatStore(client=sync_client), chat_store_key="ada", tokenizer_fn=str.split
        )

    memory().put(user_message("hello"))
    memory().put(ChatMessage(role="assistant", content="hi"))
    assert memory().get_all() == [user_message("hello"), ChatMessage(role="assistant", content="hi")]
    memory().set([user_message("new")])
    assert memory().get() == [user_message("new")]
    memory().reset()
    assert memory().get_all() == []
