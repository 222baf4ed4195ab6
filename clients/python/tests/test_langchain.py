"""The message history for LangChain, with its synchronous and its asynchronous methods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from scrollback_client import AsyncClient, Client
from scrollback_client.langchain import ScrollbackChatMessageHistory

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.deprecation.LangChainDeprecationWarning")

MESSAGES: list[BaseMessage] = [
    SystemMessage("Be brief."),
    HumanMessage([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://e.example/i.png"}}]),
    AIMessage(
        "Let me see.",
        id="ai-1",
        tool_calls=[{"name": "look", "args": {"z": 1, "a": {"b": None}}, "id": "c1"}],
        usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
        response_metadata={"model_name": "gpt-5", "n": 1.0},
    ),
    ToolMessage("a cat", tool_call_id="c1", name="look", artifact={"raw": [1, 2]}),
    ToolMessage("no luck", tool_call_id="c2", status="error"),
    AIMessage([{"type": "reasoning", "reasoning": "It purrs."}, {"type": "text", "text": "A cat."}, "plain"]),
    ChatMessage(content="As a pirate", role="pirate"),
    AIMessageChunk(content="part"),
    HumanMessage(""),
    HumanMessage("NUL \0 and 🌍\u2028"),
    RemoveMessage(id="ai-1"),
]

History = Callable[..., ScrollbackChatMessageHistory]


@pytest.fixture
def history(sync_client: Client) -> History:
    def history(session: str, **options: Any) -> ScrollbackChatMessageHistory:
        return ScrollbackChatMessageHistory(session, client=sync_client, **options)

    return history


def test_messages_come_back_equal(history: History) -> None:
    first = history("123")
    assert first.messages == []
    first.add_messages(MESSAGES)
    assert first.messages == MESSAGES
    assert [type(message) for message in first.messages] == [type(message) for message in MESSAGES]


def test_messages_of_users_and_models_are_added(history: History) -> None:
    first, second = history("123"), history("456")
    first.add_user_message("Hello!")
    first.add_ai_message("Hi there!")
    first.add_message(HumanMessage("What is new?"))
    second.add_user_message("Other")
    assert first.messages == [HumanMessage("Hello!"), AIMessage("Hi there!"), HumanMessage("What is new?")]
    assert second.messages == [HumanMessage("Other")]
    assert str(first) == "Human: Hello!\nAI: Hi there!\nHuman: What is new?"


def test_a_cleared_history_leaves_others(history: History) -> None:
    first, second = history("123"), history("456")
    first.add_messages(MESSAGES[:3])
    second.add_user_message("Other")
    first.clear()
    history("never").clear()
    assert first.messages == [] and second.messages == [HumanMessage("Other")]
    first.add_user_message("again")
    assert first.messages == [HumanMessage("again")]


def test_a_history_can_be_limited_to_the_newest_messages(history: History) -> None:
    history("long").add_messages([HumanMessage(str(number)) for number in range(120)])
    assert [message.content for message in history("long", history_size=2).messages] == ["118", "119"]
    assert len(history("long").messages) == 120
    with pytest.raises(ValueError, match="at least 1"):
        history("long", history_size=0)


def test_texts_can_be_searched_and_calls_are_tool_parts(history: History, sync_client: Client) -> None:
    history("123").add_messages(MESSAGES[:5])
    (hit,) = sync_client.search("what this").nodes
    messages = list(sync_client.messages(hit.conversation_id))
    assert [message.role for message in messages] == ["SYSTEM", "USER", "ASSISTANT", "TOOL", "TOOL"]
    assert messages[2].content == "Let me see."
    call, result, failure = messages[2].parts[1]["tool"], messages[3].parts[0]["tool"], messages[4].parts[0]["tool"]
    assert (call["toolName"], call["input"]) == ("look", {"z": 1, "a": {"b": None}})
    assert (result["state"], result["output"]) == ("OUTPUT_AVAILABLE", "a cat")
    assert (failure["state"], failure["errorText"]) == ("OUTPUT_ERROR", "no luck")
    total = sync_client.execute(
        'query { viewer { usage(since: "2020-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z") { totalTokens } } }'
    )
    assert total["viewer"]["usage"][0]["totalTokens"] == 7


async def test_the_asynchronous_methods_do_the_same(async_client: AsyncClient, sync_client: Client) -> None:
    native = ScrollbackChatMessageHistory("123", async_client=async_client)
    threaded = ScrollbackChatMessageHistory("123", client=sync_client)
    await native.aadd_messages(MESSAGES[:3])
    await native.aadd_messages([])
    await threaded.aadd_messages(MESSAGES[3:])
    assert await native.aget_messages() == await threaded.aget_messages() == MESSAGES
    await native.aclear()
    assert await threaded.aget_messages() == []
    await threaded.aadd_messages(MESSAGES[:1])
    await threaded.aclear()
    assert await native.aget_messages() == []
    with pytest.raises(RuntimeError, match="`client`"):
        _ = native.messages
    with pytest.raises(ValueError, match="client"):
        ScrollbackChatMessageHistory("123")


async def test_messages_that_are_added_at_once_are_all_there(async_client: AsyncClient) -> None:
    histories = [ScrollbackChatMessageHistory("shared", async_client=async_client) for _ in range(8)]
    await asyncio.gather(*(one.aadd_messages([HumanMessage(str(at))]) for at, one in enumerate(histories)))
    found = [message.content for message in await histories[0].aget_messages()]
    assert sorted(found) == sorted(str(at) for at in range(8))


def test_messages_that_others_wrote_are_there(history: History, sync_client: Client) -> None:
    id = sync_client.create_conversation().id
    sync_client.append(id, "USER", "Hello")
    sync_client.append(id, "ASSISTANT", "Hi")
    sync_client.append(id, "SYSTEM", "Be brief.")
    assert history(id).messages == [HumanMessage("Hello"), AIMessage("Hi"), SystemMessage("Be brief.")]


def test_a_chain_remembers(history: History) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("Hi Ada"), AIMessage("Ada")]))
    seen: list[Any] = []
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])

    def remember(value: ChatPromptValue) -> ChatPromptValue:
        seen.append(value.to_messages())
        return value

    chain: Any = prompt | RunnableLambda[Any, Any](remember) | model
    remembering = RunnableWithMessageHistory(
        chain, history, input_messages_key="question", history_messages_key="history"
    )
    config: Any = {"configurable": {"session_id": "chain"}}
    remembering.invoke({"question": "I am Ada"}, config)
    remembering.invoke({"question": "Who am I?"}, config)
    assert [message.content for message in seen[1]] == ["I am Ada", "Hi Ada", "Who am I?"]
    assert [message.content for message in history("chain").messages] == ["I am Ada", "Hi Ada", "Who am I?", "Ada"]
