"""Items as parts and back: nothing of any JSON is lost, not the order of keys, not a digit."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import pytest

from scrollback_client import AsyncClient
from scrollback_client._items import Parts, dumps, item_of, parts_of
from scrollback_client.openai_agents import ScrollbackSession

TEXTS = ["", "Hello", "z\u2028\u0085 🌍", "a\0b", "\ud800", '"\\', "\\u0000", "ключ", "x" * 300]
NUMBERS = [0, -1, 1.0, 1.1, 1e300, 5e-324, 2**53 + 1, 2**70, -0.0, True, False, None, float("nan"), float("inf")]
KINDS: list[Any] = ["message", "function_call", "function_call_output", "reasoning", "mcp_call", "", "new_kind", None, 7]
NAMES = ["type", "role", "content", "text", "call_id", "name", "arguments", "output", "summary", "id", "", "extra"]


def value(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(6 if depth else 2)
    if kind == 0:
        return chance.choice(TEXTS)
    if kind == 1:
        return chance.choice(NUMBERS)
    if kind in (2, 3):
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(NAMES + TEXTS): value(chance, depth - 1) for _ in range(chance.randrange(5))}


def item(chance: random.Random) -> dict[str, Any]:
    """An item of OpenAI's, more or less."""
    content = [{"type": chance.choice(["input_text", "output_text", "refusal", 1]), "text": chance.choice(TEXTS)}]
    likely: dict[str, Any] = {
        "type": chance.choice(KINDS),
        "role": chance.choice(["user", "assistant", "system", "developer", "critic", 3]),
        "content": chance.choice([chance.choice(TEXTS), content, value(chance, 3)]),
        "call_id": chance.choice(["call_1", "", "x" * 9000, 5]),
        "name": chance.choice(["weather", "", None]),
        "arguments": chance.choice(['{"a": 1}', '{"a":"\\u0000"}', '{"a":1e999}', "not json", "[1]", 5]),
        "output": chance.choice(["sunny", value(chance, 2)]),
        "summary": [{"type": "summary_text", "text": chance.choice(TEXTS)}],
        "extra": value(chance, 3),
    }
    names = [name for name in likely if chance.random() < 0.6]
    chance.shuffle(names)
    return {name: likely[name] for name in names}


async def test_any_item_comes_back_as_it_was(async_client: AsyncClient) -> None:
    chance = random.Random(7)
    session = ScrollbackSession("any", client=async_client)
    items = [item(chance) for _ in range(600)] + [cast(dict[str, Any], {"v": value(chance, 5)}) for _ in range(200)]
    await session.add_items(cast(Any, items))
    back = await session.get_items()
    assert len(back) == len(items)
    for given, found in zip(items, back, strict=True):
        assert dumps(found) == dumps(given)


def test_items_that_the_server_refuses_are_kept_as_a_text() -> None:
    for bad in ("a\0b", "\ud800", float("nan")):
        typed = Parts()
        typed.text(["content"], bad)
        (part,) = parts_of("f", "message", {"content": bad}, typed)
        assert part["custom"]["kind"] == "message" and set(part["custom"]["data"]) == {"json"}
    deep: Any = []
    for _ in range(180):
        deep = [deep]
    (part,) = parts_of("f", "message", {"content": deep}, Parts())
    assert json.loads(part["custom"]["data"]["json"]) == {"content": deep}


def test_items_that_are_not_json_are_an_error() -> None:
    with pytest.raises(TypeError):
        parts_of("f", "message", {"content": object()}, Parts())


def test_typed_parts_hold_the_texts_and_the_rest_is_beside_them() -> None:
    typed = Parts()
    typed.text(["content", 0, "text"], "Hello")
    typed.text(["content", 1, "text"], "")
    given = {"role": "user", "content": [{"text": "Hello"}, {"text": ""}], "n": 1.0}
    parts = parts_of("f", "message", given, typed)
    assert [part["text"]["text"] for part in parts] == ["Hello", ""]
    rest = parts[0]["text"]["extra"]["f"]["item"]
    assert rest == {"role": "user", "content": [{"text": None}, {"text": None}], "n": 1.0}


def test_what_others_wrote_is_no_item() -> None:
    class Written:
        parts = [{"text": {"text": "Hello", "extra": {"state": "done"}}}]

    assert item_of("f", cast(Any, Written())) is None
