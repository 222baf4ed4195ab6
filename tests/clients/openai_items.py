"""Every item of OpenAI's package for Python goes in and comes out equal, and its calls work unchanged."""

import json
import os
import pathlib
import typing

import openai
from openai.types.conversations import ConversationItem

client = openai.OpenAI(
    base_url=os.environ["SCROLLBACK_URL"] + "/v1",
    api_key=os.environ["SCROLLBACK_TOKEN"],
    max_retries=0,
    _strict_response_validation=True,
)
items = json.loads(pathlib.Path(__file__).with_name("openai_items.json").read_text())


def types(union):
    """The types of a union of items."""
    members = typing.get_args(typing.get_args(union)[0])
    return {typing.get_args(member.model_fields["type"].annotation)[0] for member in members}


def without_id(item):
    return {name: value for name, value in item.items() if name != "id"}


def same(got, expected):
    """Whether an item is as it was sent. The package writes fields that were not sent as null."""
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            same(got.get(name), expected.get(name)) for name in expected.keys() | got.keys()
        )
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    return got == expected


assert types(ConversationItem) == {item["type"] for item in items}, "every type of the union is in the list"

conversation = client.conversations.create(metadata={"topic": "moons"}, items=items[:20])
assert conversation.id.startswith("conv_") and conversation.metadata == {"topic": "moons"}
added = []
for start in range(20, len(items), 20):
    page = client.conversations.items.create(conversation.id, items=items[start : start + 20])
    assert (page.first_id, page.last_id, page.has_more) == (page.data[0].id, page.data[-1].id, False)
    added += page.data

listed = list(client.conversations.items.list(conversation.id, order="asc", limit=7))
assert [item.id for item in listed[20:]] == [item.id for item in added]
assert len(listed) == len(items)
for got, expected in zip(listed, items):
    # By the raw text: the models of the package drop nothing, but they sort and rename.
    raw = client.get(f"/conversations/{conversation.id}/items/{got.id}", cast_to=object)
    assert raw["id"] == got.id and without_id(raw) == expected, (raw, expected)
    assert same(without_id(got.to_dict(mode="json")), expected), (got, expected)
    one = client.conversations.items.retrieve(got.id, conversation_id=conversation.id)
    assert one == got and type(one) is type(got)

newest = client.conversations.items.list(conversation.id)
assert [item.id for item in newest.data] == [item.id for item in reversed(listed[-20:])]
assert newest.has_more and newest.last_id == listed[-20].id
rest = client.conversations.items.list(conversation.id, after=newest.last_id, limit=100)
assert [item.id for item in rest.data] == [item.id for item in reversed(listed[:-20])]
assert not rest.has_more
nothing = client.conversations.items.list(conversation.id, after=listed[0].id)
assert nothing.data == [] and nothing.last_id is None

# The short forms of an input, and what OpenAI adds to them.
short = client.conversations.items.create(
    conversation.id,
    items=[
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ],
    include=["message.output_text.logprobs", "reasoning.encrypted_content"],
).data
assert short[0].content[0].type == "input_text" and short[0].content[0].text == "Hi"
assert short[1].content[0].type == "output_text" and short[1].content[0].annotations == []
assert [item.status for item in short] == ["completed"] * 4
assert [item.id.split("_")[0] for item in short] == ["msg", "msg", "fc", "fco"]

# An unknown type is kept as it is.
future = {"type": "future_call", "call_id": "x", "steps": [{"n": 1.50, "ok": None}]}
page = client.post(
    f"/conversations/{conversation.id}/items", body={"items": [{**future, "id": "fut_1"}]}, cast_to=object
)
(kept,) = page["data"]
assert kept["id"].startswith("item_") and without_id(kept) == future, kept

# Deletions.
after = client.conversations.items.delete(kept["id"], conversation_id=conversation.id)
assert after.id == conversation.id and after.object == "conversation"
for call in (client.conversations.items.retrieve, client.conversations.items.delete):
    try:
        call(kept["id"], conversation_id=conversation.id)
        raise SystemExit("a deleted item was found")
    except openai.NotFoundError as error:
        assert error.type == "invalid_request_error" and kept["id"] in error.message, error
assert client.conversations.update(conversation.id, metadata={"a": "b"}).metadata == {"a": "b"}
assert client.conversations.retrieve(conversation.id).metadata == {"a": "b"}
assert client.conversations.delete(conversation.id).deleted is True
for call in (client.conversations.retrieve, client.conversations.delete):
    try:
        call(conversation.id)
        raise SystemExit("a deleted conversation was found")
    except openai.NotFoundError as error:
        assert "not found" in error.message, error

# Errors.
try:
    client.conversations.create(metadata={str(n): "x" for n in range(17)})
    raise SystemExit("17 pairs were accepted")
except openai.BadRequestError as error:
    assert (error.param, error.code) == ("metadata", "invalid_value"), error.body
try:
    openai.OpenAI(base_url=client.base_url, api_key="nonsense", max_retries=0).conversations.create()
    raise SystemExit("a wrong key was accepted")
except openai.AuthenticationError as error:
    assert error.code == "invalid_api_key", error.body
