"""The client: each test runs with the synchronous and with the asynchronous one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from conftest import Connect
from network import DeletionLosingTransport
from server import Server, token

from scrollback_client import (
    Client,
    ConflictError,
    ForbiddenError,
    NetworkError,
    NewMessage,
    NotFoundError,
    ScrollbackError,
    UnauthenticatedError,
    new_id,
)


def texts(messages: Any) -> list[str]:
    return [message.content for message in messages]


def test_conversations_are_created_listed_updated_and_deleted(client: Any, user: str) -> None:
    assert client.viewer_id() == user
    first = client.create_conversation(title="First", metadata={"b": 1, "a": [1.5, None]})
    second = client.create_conversation(title="Second", messages=[NewMessage("USER", "Hello")])
    assert (first.message_count, second.message_count) == (0, 1)
    assert list(first.metadata) == ["b", "a"]
    page = client.conversations(first=1)
    assert [node.id for node in page.nodes] == [second.id] and page.has_next_page and page.change_cursor
    rest = client.conversations(first=1, after=page.end_cursor)
    assert [node.id for node in rest.nodes] == [first.id] and not rest.has_next_page
    changed = client.update_conversation(first.id, title=None, addLabels=["work"])
    assert (changed.title, changed.labels) == (None, ["work"])
    assert [node.id for node in client.conversations(filter={"label": "work"}).nodes] == [first.id]
    assert client.delete_conversation(first.id) is True
    assert client.delete_conversation(first.id) is False
    assert client.conversation(first.id) is None


def test_a_creation_with_an_id_can_be_repeated(client: Any) -> None:
    id = new_id()
    assert client.create_conversation(id=id, title="Once").id == id
    assert client.create_conversation(id=id, title="Once").id == id
    with pytest.raises(ConflictError) as error:
        client.create_conversation(id=id, title="Twice")
    assert (error.value.code, error.value.path) == ("CONFLICT", ("createConversation",))
    assert len(client.conversations().nodes) == 1


def test_history_is_read_in_pages_in_both_directions(client: Any) -> None:
    id = client.create_conversation().id
    numbers = [str(number) for number in range(250)]
    appended = client.append_many(id, [NewMessage("USER", number) for number in numbers])
    assert [message.position for message in appended] == list(range(1, 251))
    assert texts(client.messages(id)) == numbers
    page = client.history(id)
    assert texts(page.nodes) == numbers[150:] and page.has_previous_page
    assert texts(client.history(id, last=2, before=page.start_cursor).nodes) == ["148", "149"]
    assert texts(client.history(id, first=2).nodes) == ["0", "1"]
    assert client.history(new_id()) is None
    assert list(client.messages(new_id())) == []


def test_a_page_that_is_too_large_to_send_is_read_in_smaller_ones(connect: Connect, user: str) -> None:
    server = Server(limits_message_bytes="65536", limits_answer_bytes="262144")
    try:
        client = connect(user, url=server.start().url)
        id = client.create_conversation().id
        large = ["x" * 60_000 + str(number) for number in range(9)]
        for text in large:
            client.append(id, "USER", text)
        assert texts(client.messages(id)) == large
        newest = texts(client.history(id).nodes)
        assert 0 < len(newest) < len(large) and newest == large[-len(newest) :]
    finally:
        server.close()


def test_parts_are_read_as_they_are_written(client: Any) -> None:
    id = client.create_conversation().id
    parts = [
        {"reasoning": {"text": "Hm.", "extra": {"z": 1, "a": {"deep": [1.0, 2]}}}},
        {"text": {"text": "Line one\u2028line two"}},
        {"tool": {"toolCallId": "1", "toolName": "f", "state": "OUTPUT_AVAILABLE", "input": {"b": 1, "a": 2}, "output": 0}},
        {"file": {"mediaType": "image/png", "url": "https://files.example/a.png"}},
        {"sourceUrl": {"sourceId": "s", "url": "https://example.com", "title": "Example"}},
        {"sourceDocument": {"sourceId": "d", "mediaType": "text/plain", "title": "Notes"}},
        {"data": {"name": "weather", "data": [1]}},
        {"custom": {"kind": "step-start", "data": {}}},
    ]
    message = client.append(id, "ASSISTANT", parts=parts, model="gpt-5", usage={"inputTokens": 3}, metadata={"k": 1})
    assert message.parts == parts and message.model == "gpt-5" and message.metadata == {"k": 1}
    (read,) = client.messages(id)
    assert read == message and list(read.parts[2]["tool"]["input"]) == ["b", "a"]


def test_appends_are_there_once_although_answers_are_lost(connect: Connect, lossy: Any, user: str) -> None:
    client = connect(user, transport=lossy)
    id = client.create_conversation().id
    before = lossy.requests
    lossy.lose = 3
    client.append(id, "USER", "Hello")
    assert lossy.requests - before == 4
    lossy.lose = 1
    client.append_many(id, [NewMessage("USER", str(number)) for number in range(150)])
    assert texts(client.messages(id)) == ["Hello", *map(str, range(150))]


def test_an_append_with_an_id_can_be_repeated_by_another_client(connect: Connect, user: str) -> None:
    client = connect(user)
    id, message_id = client.create_conversation().id, new_id()
    first = client.append(id, "USER", "Hello", id=message_id)
    assert connect(user).append(id, "USER", "Hello", id=message_id) == first
    with pytest.raises(ConflictError):
        client.append(id, "USER", "Another", id=message_id)


def test_operations_that_are_not_idempotent_are_not_repeated(connect: Connect, lossy: Any, user: str) -> None:
    client = connect(user, transport=lossy)
    mutation = "mutation { createConversation(input: {}) { conversation { id } } }"
    lossy.lose = 1
    with pytest.raises(NetworkError) as error:
        client.execute(mutation)
    assert lossy.requests == 1 and error.value.may_be_executed
    lossy.lose = 1
    assert client.execute("{ viewer { id } }", idempotent=True) == {"viewer": {"id": user}}
    assert len(client.conversations().nodes) == 1


def test_deletions_say_whether_the_message_was_there(client: Any) -> None:
    id = client.create_conversation().id
    message = client.append(id, "USER", "Hello")
    client.append(id, "USER", "Bye")
    assert client.delete_message(message.id).was_deleted is False
    again = client.delete_message(message.id)
    assert again.was_deleted is True and again.message.content == ""
    assert texts(client.messages(id)) == ["Bye"]
    deleted = client.history(id, include_deleted=True).nodes[0]
    assert deleted.deleted_at is not None
    with pytest.raises(NotFoundError):
        client.delete_message(new_id())


def test_pop_gives_the_newest_message_once(connect: Connect, lossy: Any, user: str) -> None:
    client = connect(user, transport=lossy)
    id = client.create_conversation(messages=[NewMessage("USER", text) for text in "abc"]).id
    assert client.pop(id).content == "c"
    assert client.pop(id).content == "b"
    assert client.pop(id).content == "a"
    assert client.pop(id) is None and client.pop(new_id()) is None


def test_a_pop_whose_answer_is_lost_takes_one_message(connect: Connect, lossy: Any, user: str) -> None:
    client = connect(user, transport=lossy)
    id = client.create_conversation(messages=[NewMessage("USER", text) for text in "abc"]).id
    # The answers of the reading and of the deletion.
    for lost in (1, 2):
        lossy.lose = lost
        assert client.pop(id).content == {1: "c", 2: "b"}[lost]
    assert texts(client.messages(id)) == ["a"]


def test_each_message_is_popped_once_although_answers_are_lost(server: Server, user: str) -> None:
    def connected() -> Client:
        return Client(server.url, token(user), http_client=httpx.Client(transport=DeletionLosingTransport()))

    id = connected().create_conversation(messages=[NewMessage("USER", str(number)) for number in range(30)]).id

    def pop_all(client: Client) -> list[str]:
        popped = []
        while message := client.pop(id):
            popped.append(message.content)
        return popped

    with ThreadPoolExecutor() as threads:
        popped = [text for texts in threads.map(pop_all, [connected() for _ in range(3)]) for text in texts]
    assert sorted(popped, key=int) == [str(number) for number in range(30)]


def test_cleared_conversations_stay(client: Any) -> None:
    id = client.create_conversation(title="Kept", messages=[NewMessage("USER", "secret")]).id
    client.clear_conversation(id)
    assert list(client.messages(id)) == [] and client.conversation(id).title == "Kept"
    assert client.append(id, "USER", "after").position > 1
    with pytest.raises(NotFoundError):
        client.clear_conversation(new_id())


def test_searches_find_words(client: Any) -> None:
    id = client.create_conversation(messages=[NewMessage("USER", "The quick brown fox")]).id
    (hit,) = client.search("brown quick").nodes
    assert (hit.conversation_id, hit.message.content) == (id, "The quick brown fox")
    assert client.search("brown", filter={"roles": ["ASSISTANT"]}).nodes == []


def test_messages_are_changed_and_rated(client: Any) -> None:
    id = client.create_conversation(messages=[NewMessage("ASSISTANT", "The moon")]).id
    (message,) = client.messages(id)
    assert client.update_message(message.id, content="The sun").edited_at is not None
    assert client.set_feedback(message.id, rating="UP").feedback["rating"] == "UP"
    assert client.set_feedback(message.id, rating=None).feedback is None


def test_files_are_stored_and_can_be_downloaded(client: Any) -> None:
    import httpx

    url = client.attach(b"a picture", media_type="image/png", filename="picture.png")
    id = client.create_conversation().id
    client.append(id, "USER", parts=[{"file": {"mediaType": "image/png", "url": url}}])
    (where,) = client.download_urls([url.removeprefix("attachment:")]).values()
    assert httpx.get(where).content == b"a picture"


def test_errors_have_codes_paths_and_extensions(client: Any) -> None:
    with pytest.raises(NotFoundError) as error:
        client.append(new_id(), "USER", "Hello")
    assert error.value.code == "NOT_FOUND" and error.value.path == ("appendMessages",)
    with pytest.raises(ScrollbackError) as invalid:
        client.execute("{ nothing }")
    assert invalid.value.code == "GRAPHQL_VALIDATION_FAILED" and not invalid.value.retryable
    with pytest.raises(ValueError):
        client.append(new_id(), "USER", "\ud800")


def test_a_back_end_acts_for_users(connect: Connect, user: str) -> None:
    client = connect("back end", token=token("back end", scope="scrollback:act-as"))
    other = client.acting_as(f"{user} ä")
    id = other.create_conversation().id
    assert other.viewer_id() == f"{user} ä" and other.conversation(id) is not None
    assert client.conversation(id) is None
    with pytest.raises(ForbiddenError):
        connect(user).acting_as("somebody").conversations()


def test_tokens_are_asked_for_again_when_they_are_refused(connect: Connect, user: str) -> None:
    given: list[str] = []

    def provider() -> str:
        given.append("nonsense" if not given else token(user))
        return given[-1]

    client = connect(user, token=provider)
    assert client.execute("{ viewer { id } }") == {"viewer": {"id": user}}
    client.conversations()
    assert len(given) == 2
    with pytest.raises(UnauthenticatedError):
        connect(user, token=lambda: "nonsense").conversations()
    with pytest.raises(UnauthenticatedError):
        connect(user, token="nonsense").conversations()


def test_a_server_that_is_away_is_an_error_after_a_while(connect: Connect, user: str) -> None:
    client = connect(user, url="http://127.0.0.1:9", retry_for=0.5)
    with pytest.raises(NetworkError) as error:
        client.conversations()
    assert error.value.retryable and not error.value.may_be_executed
