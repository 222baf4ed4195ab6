"""The server is killed, as by a crash, and started again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from agents.items import TResponseInputItem
from server import Server, token

from scrollback_client import AsyncClient, Client, NewMessage
from scrollback_client.openai_agents import ScrollbackSession


def items(first: int, count: int) -> list[TResponseInputItem]:
    return [{"role": "user", "content": str(number)} for number in range(first, first + count)]


async def test_items_are_there_once_although_the_server_is_killed_again_and_again(
    own_server: Server, user: str
) -> None:
    async with AsyncClient(own_server.url, token(user), retry_for=60) as client:
        session = ScrollbackSession("killed", client=client)
        await session.add_items(items(0, 1))
        writing = [asyncio.create_task(add(session, 10_000 * writer)) for writer in range(1, 4)]
        for _ in range(3):
            # The writers have stored something since the last start, and are in the middle of more.
            before = len(await session.get_items())
            while len(await session.get_items()) < before + 10:
                pass
            await asyncio.to_thread(own_server.kill)
            await asyncio.to_thread(own_server.start)
        for task in writing:
            task.cancel("enough")
        added = [number for task in await asyncio.gather(*writing) for number in task]
        found = [int(str(item["content"])) for item in await session.get_items()]  # type: ignore[typeddict-item]
        assert sorted(found) == sorted([0, *added])


async def add(session: ScrollbackSession, first: int) -> list[int]:
    """Adds items until it is cancelled, and returns the numbers of all that are added."""
    added: list[int] = []
    while True:
        try:
            await session.add_items(items(first + len(added), 3))
        except asyncio.CancelledError:
            # A cancelled change is settled before: these are added too.
            return [*added, *range(first + len(added), first + len(added) + 3)]
        added += range(first + len(added), first + len(added) + 3)


def test_followers_go_on_after_the_server_was_killed(own_server: Server, user: str) -> None:
    with Client(own_server.url, token(user), retry_for=60) as client:
        id = client.create_conversation(messages=[NewMessage("USER", "0")]).id
        cursor, change_cursor = (history.end_cursor if (history := client.history(id)) else None), None
        change_cursor = client.conversations().change_cursor
        seen: dict[str, list[Any]] = {"messages": [], "changes": []}

        def follow() -> None:
            for item in client.follow(id, after=cursor):
                seen["messages"].append(item.message.content)
                if item.message.content == "last":
                    return

        def follow_changes() -> None:
            for change in client.changes(after=change_cursor):
                seen["changes"].append(change.message.content if change.message else None)
                if change.message and change.message.content == "last":
                    return

        threads = [threading.Thread(target=follow), threading.Thread(target=follow_changes)]
        for thread in threads:
            thread.start()
        sent = []
        for round in range(3):
            for number in range(5):
                sent.append(f"{round}.{number}")
                client.append(id, "USER", sent[-1])
            own_server.kill()
            own_server.start()
        client.append(id, "USER", "last")
        for thread in threads:
            thread.join(60)
        assert seen == {"messages": [*sent, "last"], "changes": [*sent, "last"]}


def test_a_writer_goes_on_after_the_server_was_killed(own_server: Server, user: str) -> None:
    with Client(own_server.url, token(user), retry_for=60) as client:
        id = client.create_conversation().id
        with client.stream(id) as writer:
            for number in range(3):
                writer.write(f"before {number}. ")
                own_server.kill()
                own_server.start()
                writer.write(f"after {number}. ")
                writer.flush()
        (message,) = client.messages(id)
        expected = "".join(f"before {number}. after {number}. " for number in range(3))
        assert (message.content, message.status) == (expected, "COMPLETE")
