"""The data layer for Chainlit."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from chainlit.context import context, init_http_context
from chainlit.element import Image, Text
from chainlit.step import StepDict
from chainlit.types import Feedback, Pagination, ThreadFilter
from chainlit.user import PersistedUser, User
from server import Server, token

from scrollback_client import AsyncClient, NewMessage, ScrollbackError
from scrollback_client.chainlit import ScrollbackDataLayer


@pytest.fixture(params=["act_as", "one_owner"])
def layer(request: pytest.FixtureRequest, back_end: AsyncClient) -> ScrollbackDataLayer:
    return ScrollbackDataLayer(back_end, act_as=request.param == "act_as")


def step(thread_id: str, output: str = "Hello", **fields: Any) -> StepDict:
    """A step as Chainlit makes it of a message."""
    made: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "threadId": thread_id,
        "parentId": None,
        "name": "Ada",
        "type": "user_message",
        "command": None,
        "streaming": False,
        "waitForAnswer": False,
        "isError": False,
        "metadata": {"z": 1, "a": [1.0]},
        "tags": None,
        "input": "",
        "output": output,
        "createdAt": "2026-11-29T22:00:00.000000Z",
        "showInput": False,
        **fields,
    }
    return cast(StepDict, made)


async def login(layer: ScrollbackDataLayer, name: str) -> PersistedUser:
    """A user who is logged in, in a thread of their own."""
    user = await layer.create_user(User(identifier=name, display_name="Ada", metadata={"role": "admin"}))
    assert user is not None
    init_http_context(user=user, thread_id=str(uuid.uuid4()))
    return user


def without_feedback(found: StepDict) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "feedback"}


async def test_users_are_remembered(layer: ScrollbackDataLayer, user: str) -> None:
    assert await layer.get_user(user) is None
    created = await login(layer, user)
    assert (created.identifier, created.display_name, created.metadata) == (user, "Ada", {"role": "admin"})
    changed = await layer.create_user(User(identifier=user, metadata={"role": "guest"}))
    found = await layer.get_user(user)
    assert changed == found and found is not None
    assert (found.metadata, found.createdAt, found.id) == ({"role": "guest"}, created.createdAt, created.id)


async def test_threads_are_created_changed_and_deleted(layer: ScrollbackDataLayer, user: str) -> None:
    ada = await login(layer, user)
    thread_id = context.session.thread_id
    assert await layer.get_thread(thread_id) is None
    await layer.update_thread(thread_id, name="First", user_id=ada.id, metadata={"a": 1, "b": 2}, tags=["Work", "x" * 70])
    await layer.update_thread(thread_id, metadata={"b": None, "c": 3})
    await layer.update_thread(thread_id)
    thread = await layer.get_thread(thread_id)
    assert thread is not None and thread["createdAt"]
    assert (thread["name"], thread["userId"], thread["userIdentifier"]) == ("First", ada.id, user)
    assert (thread["metadata"], thread["tags"]) == ({"a": 1, "c": 3}, ["Work", "x" * 70])
    await layer.update_thread(thread_id, name="n" * 3000, tags=["Play"])
    thread = await layer.get_thread(thread_id)
    assert thread is not None and (thread["name"], thread["tags"]) == ("n" * 1024, ["Play"])
    assert await layer.get_thread_author(thread_id) == user
    await layer.delete_thread(thread_id)
    await layer.delete_thread(thread_id)
    assert await layer.get_thread(thread_id) is None and await layer.get_thread_author(thread_id) == ""


async def test_authors_are_known_without_a_session(back_end: AsyncClient, user: str) -> None:
    ada = await login(ScrollbackDataLayer(back_end), user)
    thread_id = context.session.thread_id
    await ScrollbackDataLayer(back_end).update_thread(thread_id, name="Mine", user_id=ada.id)
    # A request for another thread, with a layer that remembers nothing.
    init_http_context(thread_id=str(uuid.uuid4()))
    fresh = ScrollbackDataLayer(back_end)
    assert await fresh.get_thread_author(thread_id) == user
    thread = await fresh.get_thread(thread_id)
    assert thread is not None and thread["userIdentifier"] == user


async def test_steps_come_back_as_they_were(layer: ScrollbackDataLayer, user: str) -> None:
    await login(layer, user)
    thread_id = context.session.thread_id
    steps = [
        step(thread_id, "What is this?", createdAt="1"),
        step(thread_id, "", type="run", name="on_message", createdAt="2", input="in"),
        step(thread_id, "a cat", type="tool", name="look", input='{"url": 1}', createdAt="3", generation={"n": 1.0}),
        step(thread_id, "no luck", type="tool", name="look", isError=True, input="{}", createdAt="4"),
        step(thread_id, "A cat \0.", type="assistant_message", createdAt="5"),
        step(thread_id, "In time.", type="llm", createdAt="6", id="not a uuid"),
    ]
    # Chainlit does not wait for one before the next.
    await asyncio.gather(*(layer.create_step(one) for one in reversed(steps)))
    thread = await layer.get_thread(thread_id)
    assert thread is not None
    assert [without_feedback(one) for one in thread["steps"]] == [without_feedback(one) for one in steps]
    assert list(thread["steps"][0]["metadata"]) == ["z", "a"]


async def test_steps_are_replaced_and_deleted(layer: ScrollbackDataLayer, user: str) -> None:
    await login(layer, user)
    thread_id = context.session.thread_id
    first, second = step(thread_id, "Hel", createdAt="1"), step(thread_id, "Bye", createdAt="2")
    await layer.create_step(first)
    await layer.update_step({**first, "output": "Hello", "end": "later"})
    await layer.update_step(second)
    element = Text(name="notes.txt", content="notes", for_id=first["id"], thread_id=thread_id)
    await layer.create_element(element)
    thread = await layer.get_thread(thread_id)
    assert thread is not None and thread["elements"]
    assert [(one["output"], one.get("end")) for one in thread["steps"]] == [("Hello", "later"), ("Bye", None)]
    await layer.delete_step(first["id"])
    await layer.delete_step(str(uuid.uuid4()))
    thread = await layer.get_thread(thread_id)
    assert thread is not None and thread["elements"] == []
    assert [one["output"] for one in thread["steps"]] == ["Bye"]


async def test_threads_are_listed_by_their_users(layer: ScrollbackDataLayer, user: str) -> None:
    ada, bob = await login(layer, user), await login(layer, f"{user}-bob")
    ids: dict[str, list[str]] = {}
    for person in (ada, bob):
        for number in range(3):
            init_http_context(user=person, thread_id=str(uuid.uuid4()))
            thread_id = context.session.thread_id
            ids.setdefault(person.id, []).insert(0, thread_id)
            await layer.update_thread(thread_id, name=str(number), user_id=person.id)
            await layer.create_step(step(thread_id, f"question {number}"))
    first = await layer.list_threads(Pagination(first=2), ThreadFilter(userId=ada.id))
    assert [thread["id"] for thread in first.data] == ids[ada.id][:2] and first.pageInfo.hasNextPage
    rest = await layer.list_threads(Pagination(first=2, cursor=first.pageInfo.endCursor), ThreadFilter(userId=ada.id))
    assert [thread["id"] for thread in rest.data] == ids[ada.id][2:] and not rest.pageInfo.hasNextPage
    found = await layer.list_threads(Pagination(first=9), ThreadFilter(userId=ada.id, search="question 1"))
    assert [thread["id"] for thread in found.data] == [ids[ada.id][1]]
    with pytest.raises(ValueError, match="userId"):
        await layer.list_threads(Pagination(first=2), ThreadFilter())


async def test_feedback_is_set_changed_and_removed(layer: ScrollbackDataLayer, user: str) -> None:
    ada = await login(layer, user)
    thread_id = context.session.thread_id
    await layer.update_thread(thread_id, name="Rated", user_id=ada.id)
    answer = step(thread_id, "A cat.", type="assistant_message")
    await layer.create_step(answer)
    id = await layer.upsert_feedback(Feedback(forId=answer["id"], value=1, threadId=thread_id, comment="Yes"))
    assert await layer.upsert_feedback(Feedback(forId=answer["id"], value=0, comment="No")) == id
    thread = await layer.get_thread(thread_id)
    assert thread is not None
    assert thread["steps"][0]["feedback"] == {"forId": answer["id"], "id": id, "value": 0, "comment": "No"}
    for value, count in ((0, 1), (1, 0)):
        page = await layer.list_threads(Pagination(first=5), ThreadFilter(userId=ada.id, feedback=value))  # type: ignore[arg-type]
        assert len(page.data) == count
    assert await layer.delete_feedback(id) is True
    thread = await layer.get_thread(thread_id)
    assert thread is not None and thread["steps"][0]["feedback"] is None
    assert await layer.delete_feedback(f"{thread_id}:{uuid.uuid4()}") is False


async def test_elements_are_kept_with_their_files(layer: ScrollbackDataLayer, user: str, tmp_path: Path) -> None:
    await login(layer, user)
    thread_id = context.session.thread_id
    path = tmp_path / "cat.png"
    path.write_bytes(b"a cat")
    elements = [
        Text(name="notes.txt", content="notes", for_id="s", thread_id=thread_id, mime="text/plain"),
        Image(name="cat.png", path=str(path), for_id="s", thread_id=thread_id, mime="image/png"),
        Image(name="far.png", url="https://files.example/far.png", for_id="s", thread_id=thread_id),
        Text(name="without a step", content="lost", thread_id=thread_id),
    ]
    for element in elements:
        await layer.create_element(element)
    contents = []
    for element in elements[:2]:
        found = await layer.get_element(thread_id, element.id)
        assert found is not None and (found["name"], found["mime"]) == (element.name, element.mime)
        async with httpx.AsyncClient() as http:
            contents.append((await http.get(str(found["url"]))).content)
    assert contents == [b"notes", b"a cat"]
    far = await layer.get_element(thread_id, elements[2].id)
    assert far is not None and far["url"] == "https://files.example/far.png"
    assert await layer.get_element(thread_id, elements[3].id) is None
    thread = await layer.get_thread(thread_id)
    assert thread is not None and thread["steps"] == [] and len(thread["elements"] or []) == 3
    await layer.delete_element(elements[0].id, thread_id)
    await layer.delete_element(elements[0].id)
    assert await layer.get_element(thread_id, elements[0].id) is None


async def test_favourites_are_those_of_a_user(layer: ScrollbackDataLayer, user: str) -> None:
    ada = await login(layer, user)
    thread_id = context.session.thread_id
    steps = [step(thread_id, text, createdAt=text) for text in ("1", "2", "3")]
    for one in steps:
        await layer.create_step(one)
    for one in (steps[2], steps[0]):
        changed = await layer.set_step_favorite(one, True)
        assert changed["metadata"]["favorite"] is True
    assert [one["output"] for one in await layer.get_favorite_steps(ada.id)] == ["3", "1"]
    await layer.set_step_favorite(steps[2], False)
    assert [one["output"] for one in await layer.get_favorite_steps(ada.id)] == ["1"]
    assert await layer.get_favorite_steps(f"{user}-bob") == []


async def test_threads_belong_to_their_users_on_the_server(back_end: AsyncClient, server: Server, user: str) -> None:
    layer = ScrollbackDataLayer(back_end)
    await login(layer, user)
    thread_id = context.session.thread_id
    await layer.create_step(step(thread_id, "Searchable"))
    await layer.create_step(step(thread_id, "a cat", type="tool", name="look", input="{}"))
    async with AsyncClient(server.url, token(user)) as ada:
        messages = [message async for message in ada.messages(thread_id)]
        assert [message.role for message in messages] == ["USER", "ASSISTANT"]
        assert messages[1].parts[0]["tool"]["output"] == "a cat"
        (hit,) = (await ada.search("searchable")).nodes
        assert hit.conversation_id == thread_id
        # And what other clients write is in Chainlit.
        other = await ada.create_conversation(title="Elsewhere", messages=[NewMessage("ASSISTANT", "Hi")])
    page = await layer.list_threads(Pagination(first=5), ThreadFilter(userId=user))
    assert {thread["id"] for thread in page.data} == {thread_id, other.id}


async def test_threads_without_a_user_belong_to_the_application(layer: ScrollbackDataLayer) -> None:
    init_http_context(thread_id=str(uuid.uuid4()))
    thread_id = context.session.thread_id
    await layer.create_step(step(thread_id, "anonymous"))
    thread = await layer.get_thread(thread_id)
    assert thread is not None and thread["userIdentifier"] is None and len(thread["steps"]) == 1
    assert await layer.get_thread_author(thread_id) == ""
    assert await layer.build_debug_url() == ""


async def test_a_user_who_names_the_thread_of_another_gets_nothing_of_it(
    layer: ScrollbackDataLayer, user: str
) -> None:
    ada = await login(layer, user)
    thread_id = context.session.thread_id
    await layer.update_thread(thread_id, name="Private", user_id=ada.id)
    await layer.create_step(step(thread_id, "secret"))
    eve = await login(layer, f"{user}-eve")
    init_http_context(user=eve, thread_id=thread_id)
    # Chainlit compares the author of the thread with the user.
    thread = await layer.get_thread(thread_id)
    assert (thread["userIdentifier"] if thread else None) != eve.identifier
    with pytest.raises(ScrollbackError):
        await layer.create_step(step(thread_id, "forged"))
    assert await layer.get_thread_author(thread_id) == user
    init_http_context(user=ada, thread_id=thread_id)
    thread = await layer.get_thread(thread_id)
    assert thread is not None and [one["output"] for one in thread["steps"]] == ["secret"]
