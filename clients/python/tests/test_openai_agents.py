"""The session for openai-agents. The names of its own tests for other stores are in UPSTREAM_TESTS.md."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import network
import pytest
from agents import Agent, RunConfig, Runner, function_tool
from agents.items import ModelResponse, TResponseInputItem
from agents.memory import Session, SessionSettings
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from server import Server, token

from scrollback_client import AsyncClient, NewMessage
from scrollback_client.openai_agents import ScrollbackSession


class ScriptedModel(Model):
    """Gives answers that were written before, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.inputs: list[Any] = []

    async def get_response(self, system_instructions: Any, input: Any, *rest: Any, **more: Any) -> ModelResponse:
        self.inputs.append(input)
        return ModelResponse(output=[self.answers.pop(0)], usage=Usage(), response_id=None)

    def stream_response(self, *rest: Any, **more: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def said(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(text=text, annotations=[], type="output_text", logprobs=[])
    return ResponseOutputMessage(id="msg_1", content=[part], role="assistant", status="completed", type="message")


def user_item(text: str) -> TResponseInputItem:
    return {"role": "user", "content": text}


@pytest.fixture
def session(async_client: AsyncClient) -> ScrollbackSession:
    return ScrollbackSession("direct", client=async_client)


def contents(items: list[TResponseInputItem]) -> list[Any]:
    return [item.get("content") for item in items]


async def test_items_are_added_read_popped_and_cleared(session: ScrollbackSession) -> None:
    assert isinstance(session, Session)
    items: list[TResponseInputItem] = [user_item("Hello"), {"role": "assistant", "content": "Hi there!"}]
    await session.add_items(items)
    assert await session.get_items() == items
    assert await session.pop_item() == items[1]
    assert await session.get_items() == items[:1]
    await session.clear_session()
    assert await session.get_items() == [] and await session.pop_item() is None
    await session.add_items(items)
    assert await session.get_items() == items


async def test_limits_give_the_newest_items_in_order(session: ScrollbackSession) -> None:
    await session.add_items([user_item(str(number)) for number in range(130)])
    numbers = [str(number) for number in range(130)]
    for limit, expected in [(None, numbers), (2, numbers[-2:]), (125, numbers[-125:]), (500, numbers), (0, []), (-1, [])]:
        assert contents(await session.get_items(limit)) == expected, limit
    for _ in range(3):
        await session.pop_item()
    assert contents(await session.get_items(2)) == ["125", "126"]


async def test_sessions_are_separate(async_client: AsyncClient, server: Server) -> None:
    first, second = (ScrollbackSession(name, client=async_client) for name in ("a", "b"))
    elsewhere = ScrollbackSession("a", client=async_client, namespace="other")
    await first.add_items([user_item("one")])
    await second.add_items([user_item("two")])
    await elsewhere.add_items([user_item("three")])
    async with AsyncClient(server.url, token("somebody else")) as other:
        assert await ScrollbackSession("a", client=other).get_items() == []
    assert contents(await first.get_items()) == ["one"]
    await first.clear_session()
    assert contents(await second.get_items()) == ["two"] and contents(await elsewhere.get_items()) == ["three"]


async def test_empty_lists_change_nothing(session: ScrollbackSession, async_client: AsyncClient) -> None:
    await session.add_items([])
    await session.clear_session()
    assert await session.get_items() == [] and (await async_client.conversations()).nodes == []


async def test_texts_can_be_searched_and_calls_are_tool_parts(
    session: ScrollbackSession, async_client: AsyncClient
) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Oslo"}', "id": "fc_1"}
    items = [
        user_item("What is the weather in Oslo?"),
        call,
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "It shines."}]},
        {"type": "item_reference", "id": "msg_0"},
    ]
    await session.add_items(cast(Any, items))
    assert [json.dumps(item) for item in await session.get_items()] == [json.dumps(item) for item in items]
    id = await session.conversation_id()
    messages = [message async for message in async_client.messages(id)]
    assert [message.role for message in messages] == ["USER", "ASSISTANT", "TOOL", "ASSISTANT", "ASSISTANT"]
    tool, result = messages[1].parts[0]["tool"], messages[2].parts[0]["tool"]
    assert (tool["toolName"], tool["input"], tool["state"]) == ("weather", {"city": "Oslo"}, "INPUT_AVAILABLE")
    assert (result["toolName"], result["output"], result["toolCallId"]) == ("weather", "sunny", "c1")
    assert messages[3].parts[0]["reasoning"]["text"] == "It shines."
    assert messages[4].parts[0]["custom"]["kind"] == "item_reference"
    (hit,) = (await async_client.search("weather oslo")).nodes
    assert hit.conversation_id == id and hit.message.content == "What is the weather in Oslo?"
    conversation = await async_client.conversation(id)
    assert conversation and conversation.metadata == {"sessionId": "direct", "namespace": "openai-agents"}


async def test_ids_that_are_uuids_are_the_conversations(async_client: AsyncClient) -> None:
    created = await async_client.create_conversation(
        title="From the page", messages=[NewMessage("USER", "Hello"), NewMessage("ASSISTANT", "Hi")]
    )
    session = ScrollbackSession(created.id, client=async_client)
    # What others wrote is there too.
    assert await session.get_items() == [user_item("Hello"), {"role": "assistant", "content": "Hi"}]
    await session.add_items([user_item("Again")])
    assert (await session.pop_item()) == user_item("Again")


async def test_one_request_for_each_operation(server: Server, user: str) -> None:
    transport = network.AsyncLossyTransport()
    async with httpx.AsyncClient(transport=transport) as http:
        client = AsyncClient(server.url, token(user), http_client=http)
        session = ScrollbackSession("frugal", client=client)
        await session.add_items([user_item("first")])
        for work, requests in [
            (session.add_items([user_item(str(number)) for number in range(100)]), 1),
            (session.get_items(100), 1),
            (session.pop_item(), 2),
            (session.clear_session(), 1),
        ]:
            before = transport.requests
            await work
            assert transport.requests - before == requests


async def test_items_that_are_popped_at_once_are_given_once(session: ScrollbackSession) -> None:
    await session.add_items([user_item(str(number)) for number in range(7)])
    popped = await asyncio.gather(*(session.pop_item() for _ in range(9)))
    found = contents([item for item in popped if item is not None])
    assert sorted(map(int, found)) == list(range(7))
    assert await session.get_items() == []


async def test_first_writes_at_once_lose_nothing(async_client: AsyncClient) -> None:
    sessions = [ScrollbackSession("contested", client=async_client) for _ in range(12)]
    writes = (session.add_items([user_item(str(at))]) for at, session in enumerate(sessions))
    await asyncio.gather(*writes)
    assert sorted(map(int, contents(await sessions[0].get_items()))) == list(range(12))


def test_sessions_may_be_used_from_several_event_loops(server: Server, user: str) -> None:
    client = AsyncClient(server.url, token(user))
    session = ScrollbackSession("loops", client=client)

    async def use(name: str) -> None:
        for number in range(5):
            await session.add_items([user_item(f"{name}{number}")])
        await client.close()

    threads = [threading.Thread(target=lambda name=name: asyncio.run(use(name))) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = asyncio.run(session.get_items())
    assert sorted(contents(found)) == sorted(f"{name}{number}" for name in "ab" for number in range(5))


@pytest.mark.parametrize("operation", ["add", "pop", "clear"])
async def test_a_cancelled_change_is_settled_first(server: Server, user: str, operation: str) -> None:
    applied, go_on = asyncio.Event(), asyncio.Event()

    class Slow(network.AsyncLossyTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if is_slow and b"mutation" in request.content:
                applied.set()
                await go_on.wait()
            return response

    is_slow = False
    async with httpx.AsyncClient(transport=Slow()) as http:
        session = ScrollbackSession("cancelled", client=AsyncClient(server.url, token(user), http_client=http))
        await session.add_items([user_item("once")])
        is_slow = True
        works: dict[str, Any] = {"add": session.add_items([user_item("two")])} if operation == "add" else {
            operation: session.pop_item() if operation == "pop" else session.clear_session()
        }
        task = asyncio.ensure_future(works[operation])
        await applied.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert contents(await session.get_items()) == (["once", "two"] if operation == "add" else [])


async def test_limits_of_the_settings_are_used(async_client: AsyncClient) -> None:
    assert ScrollbackSession("s", client=async_client).session_settings == SessionSettings()
    for settings in (SessionSettings(limit=3), {"limit": 3}):
        session = ScrollbackSession("settings", client=async_client, session_settings=settings)
        await session.clear_session()
        await session.add_items([user_item(str(number)) for number in range(5)])
        assert contents(await session.get_items()) == ["2", "3", "4"]
        assert contents(await session.get_items(4)) == ["1", "2", "3", "4"]


async def test_an_agent_remembers(session: ScrollbackSession) -> None:
    model = ScriptedModel(said("San Francisco"), said("California"))
    agent = Agent(name="test", model=model)
    first = await Runner.run(agent, "What city is the Golden Gate Bridge in?", session=session)
    second = await Runner.run(agent, "What state is it in?", session=session)
    assert (first.final_output, second.final_output) == ("San Francisco", "California")
    assert len(model.inputs[1]) == 3 and model.inputs[1][0]["content"] == "What city is the Golden Gate Bridge in?"
    assert len(await session.get_items()) == 4


async def test_an_agent_with_a_tool_remembers_the_call(session: ScrollbackSession) -> None:
    @function_tool
    def weather(city: str) -> str:
        return f"sunny in {city}"

    call = ResponseFunctionToolCall(arguments='{"city":"Oslo"}', call_id="c1", name="weather", type="function_call")
    model = ScriptedModel(call, said("It is sunny."))
    await Runner.run(Agent(name="test", model=model, tools=[weather]), "Weather?", session=session)
    kinds = [item.get("type") for item in await session.get_items()]
    assert kinds == [None, "function_call", "function_call_output", "message"]


async def test_a_run_overrides_the_settings(session: ScrollbackSession) -> None:
    await session.add_items([user_item(str(number)) for number in range(10)])
    model = ScriptedModel(said("done"))
    config = RunConfig(session_settings=SessionSettings(limit=2))
    await Runner.run(Agent(name="test", model=model), "now", session=session, run_config=config)
    assert contents(model.inputs[0]) == ["8", "9", "now"]
