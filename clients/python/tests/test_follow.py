"""Streams: what follows a conversation, the feed or a text sees everything once, however the network breaks."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from conftest import Connect
from server import token

from scrollback_client import Client, NewMessage, NotFoundError, ScrollbackError, new_id
from scrollback_client._events import EventParser


def take(items: Any, count: int) -> list[Any]:
    found = list(itertools.islice(items, count))
    items.close()
    return found


def test_messages_are_followed_from_a_cursor(client: Any) -> None:
    id = client.create_conversation(messages=[NewMessage("USER", "1")]).id
    cursor = client.history(id).end_cursor
    client.append_many(id, [NewMessage("USER", text) for text in ("2", "3\u2028\u0085\r\n")])
    found = take(client.follow(id, after=cursor), 2)
    assert [item.message.content for item in found] == ["2", "3\u2028\u0085\r\n"]
    (last,) = take(client.follow(id, after=found[0].cursor), 1)
    assert last == found[1]


def test_followers_resume_where_a_stream_was_cut(connect: Connect, cutting: Any, user: str) -> None:
    client = connect(user, transport=cutting)
    id = client.create_conversation(messages=[NewMessage("USER", "0")]).id
    cursor = client.history(id).end_cursor
    client.append_many(id, [NewMessage("USER", str(number)) for number in range(1, 8)])
    found = take(client.follow(id, after=cursor), 7)
    assert [item.message.position for item in found] == list(range(2, 9))
    assert cutting.streams > 1


def test_an_empty_conversation_is_followed_without_a_gap(connect: Connect, gap: Any, user: str) -> None:
    """Messages come while the follower is between reading the empty conversation and its stream."""
    client = connect(user, transport=gap)
    id = client.create_conversation().id
    with Client(gap.url, token(user)) as other:
        gap.before_streams = [
            lambda: other.append_many(id, [NewMessage("USER", text) for text in "ab"]),
            lambda: other.append_many(id, [NewMessage("USER", text) for text in "cd"]),
        ]
        found = take(client.follow(id), 4)
    assert [item.message.content for item in found] == ["a", "b", "c", "d"]
    assert [item.message.position for item in found] == [1, 2, 3, 4]


def test_a_follower_ends_with_its_conversation(client: Any) -> None:
    id = client.create_conversation(messages=[NewMessage("USER", "1"), NewMessage("USER", "2")]).id
    cursor = client.history(id, first=1).end_cursor
    seen = []
    for item in client.follow(id, after=cursor):
        seen.append(item.message.content)
        client.delete_conversation(id)
    assert seen == ["2"]
    with pytest.raises(NotFoundError):
        next(iter(client.follow(new_id())))


def test_changes_are_followed_across_cuts(connect: Connect, cutting: Any, user: str) -> None:
    client = connect(user, transport=cutting)
    cursor = client.conversations().change_cursor
    id = client.create_conversation(title="New").id
    message = client.append(id, "USER", "Hello")
    client.update_conversation(id, title="Newer")
    client.delete_message(message.id)
    client.append(id, "USER", "Bye")
    client.clear_conversation(id)
    client.delete_conversation(id)
    found = take(client.changes(after=cursor), 7)
    assert [change.kind for change in found] == [
        "ConversationCreated",
        "MessageAdded",
        "ConversationUpdated",
        "MessageDeleted",
        "MessageAdded",
        "MessageDeleted",
        "ConversationDeleted",
    ]
    assert {change.conversation_id for change in found} == {id} and found[3].message_id == message.id
    assert cutting.streams > 1


def test_a_cursor_that_is_wrong_is_an_error(client: Any) -> None:
    with pytest.raises(ScrollbackError) as error:
        next(iter(client.changes(after="nonsense")))
    assert error.value.code == "BAD_USER_INPUT"


def test_expired_tokens_are_replaced(connect: Connect, user: str) -> None:
    given: list[str] = []

    def provider() -> str:
        # The leeway of the server is 30 seconds.
        given.append(token(user, seconds=-3600 if not given else 600))
        return given[-1]

    writer = connect(user)
    id = writer.create_conversation(messages=[NewMessage("USER", "1"), NewMessage("USER", "2")]).id
    cursor = writer.history(id, first=1).end_cursor
    (item,) = take(connect(user, token=provider).follow(id, after=cursor), 1)
    assert item.message.content == "2" and len(given) == 2


def test_a_message_is_written_in_pieces(client: Any) -> None:
    id = client.create_conversation().id
    pieces = ["Once ", "upon ", "a ", "time ", "🌍"]
    with client.stream(id, model="gpt-5") as writer:
        for piece in pieces:
            writer.write(piece)
        writer.finish(usage={"outputTokens": 5}, metadata={"finish": "stop"})
    assert writer.message.content == "".join(pieces) and writer.message.status == "COMPLETE"
    (read,) = client.messages(id)
    assert read == writer.message and read.model == "gpt-5" and read.metadata == {"finish": "stop"}


def test_pieces_are_there_once_although_answers_are_lost(connect: Connect, lossy: Any, user: str) -> None:
    client = connect(user, transport=lossy)
    id = client.create_conversation().id
    lossy.lose = 2
    with client.stream(id) as writer:
        for number in range(20):
            lossy.lose = number % 3
            writer.write(f"{number} ")
            writer.flush()
        lossy.lose = 1
    (read,) = client.messages(id)
    assert read.content == "".join(f"{number} " for number in range(20)) and read.status == "COMPLETE"


def test_a_writer_that_fails_leaves_a_failed_message(client: Any) -> None:
    id = client.create_conversation().id
    with pytest.raises(RuntimeError, match="model"), client.stream(id) as writer:
        writer.write("Half of it")
        raise RuntimeError("the model is gone")
    (read,) = client.messages(id)
    assert (read.status, read.content) == ("FAILED", "Half of it")


def test_readers_follow_a_text_and_stop_its_writer(connect: Connect, cutting: Any, user: str) -> None:
    reader, client = connect(user, transport=cutting), connect(user)
    id = client.create_conversation().id
    with client.stream(id) as writer:
        writer.write("Hello 🌍")
        writer.flush()
        (first,) = take(reader.follow_text(writer.message_id), 1)
        assert (first.offset, first.text, first.status) == (0, "Hello 🌍", "STREAMING")
        reader.stop(writer.message_id)
        writer.write(", again")
        writer.flush()
        assert writer.stop_requested
    chunks = list(reader.follow_text(writer.message_id, offset=6))
    assert "".join(chunk.text for chunk in chunks) == "🌍, again"
    assert chunks[-1].status == "INTERRUPTED" == writer.message.status


def test_only_line_feeds_end_the_lines_of_events() -> None:
    parser = EventParser()
    text = "event: next\r\ndata: a\u2028b\x85\x0bc\n\n: ping\n\nevent: complete\n\n".encode()
    found = [event for byte in text for event in parser.feed(bytes([byte]))]
    assert found == [("next", "a\u2028b\x85\x0bc"), ("complete", "")]
