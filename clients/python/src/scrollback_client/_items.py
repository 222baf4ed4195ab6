"""Items of a framework as messages, and back without any difference.

An item is a JSON object of a framework: an input item of OpenAI, a message of LangChain. What Scrollback has a type for
becomes typed parts, so that texts can be searched and tool calls are visible in GraphQL. Everything else of the item is
kept in ``extra`` of its first part, under the name of the framework:

    {"text": {"text": "Hello", "extra": {"openai-agents": {
        "item": {"role": "user", "content": null}, "holes": [[["content"], 0, "text"]]}}}}

A hole says: at this path of the item stands this field of this part. The server keeps the order of the keys and the
digits of numbers. An item without typed parts is a custom part as it is. One that the server would refuse (with NUL, a
lone surrogate or NaN) is a custom part with its JSON as a text.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._types import Message, Part

Json = dict[str, Any]
Path = Sequence[str | int]

# The server allows 200 levels, for everything around the item too.
_DEEPEST = 150
_LONGEST_NAME = 1024
_LONGEST_CALL_ID = 8 * 1024


@dataclass(frozen=True)
class Hole:
    """A value of an item that is a field of a part."""

    path: Path
    part: int
    field: str


class Parts:
    """Collects the typed parts of an item."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.holes: list[Hole] = []

    def text(self, path: Path, text: Any, kind: str = "text") -> None:
        """A text, or reasoning. Other values stay in the item."""
        if isinstance(text, str):
            self._add({kind: {"text": text}}, (path, "text"))

    def call(self, call_id: Any, name: Any, *, path: Path, input: Any, known: Any = None) -> None:
        """A call of a tool, whose input stands at ``path`` of the item. ``known`` is the input if that is an encoding of it."""
        if _is_name(call_id, _LONGEST_CALL_ID) and _is_name(name, _LONGEST_NAME):
            fields = {"toolCallId": call_id, "toolName": name, "state": "INPUT_AVAILABLE"}
            if known is None:
                self._add({"tool": {**fields, "input": input}}, (path, "input"))
            else:
                self._add({"tool": {**fields, "input": known}})

    def result(self, call_id: Any, name: Any, *, path: Path, output: Any, error: bool = False) -> None:
        """What a tool returned."""
        if _is_name(call_id, _LONGEST_CALL_ID) and _is_name(name, _LONGEST_NAME):
            fields = {"toolCallId": call_id, "toolName": name}
            if error and isinstance(output, str):
                self._add({"tool": {**fields, "state": "OUTPUT_ERROR", "errorText": output}}, (path, "errorText"))
            else:
                self._add({"tool": {**fields, "state": "OUTPUT_AVAILABLE", "output": output}}, (path, "output"))

    def finished_call(
        self,
        call_id: Any,
        name: Any,
        *,
        input: tuple[Path, Any],
        output: tuple[Path, Any],
        error: bool = False,
    ) -> None:
        """A call of a tool with what it returned, both with their paths in the item."""
        if _is_name(call_id, _LONGEST_CALL_ID) and _is_name(name, _LONGEST_NAME):
            state = "OUTPUT_ERROR" if error and isinstance(output[1], str) else "OUTPUT_AVAILABLE"
            result = "errorText" if state == "OUTPUT_ERROR" else "output"
            fields = {"toolCallId": call_id, "toolName": name, "state": state}
            values = {"input": input[1], result: output[1]}
            self._add({"tool": {**fields, **values}}, (input[0], "input"), (output[0], result))

    def _add(self, part: Part, *holes: tuple[Path, str]) -> None:
        self.holes += [Hole(path, len(self.parts), field) for path, field in holes]
        self.parts.append(part)


def _is_name(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value.encode("utf-8", "replace")) <= longest


def dumps(value: Any) -> str:
    """The JSON of a value: equal texts mean equal values with the same order of keys."""
    return json.dumps(value, separators=(",", ":"))


def parts_of(framework: str, kind: str, item: Json, typed: Parts) -> list[Part]:
    """The parts of an item. ``kind`` is its name for people who read the parts, if nothing of it has a type.

    Raises:
        TypeError: the item is not JSON.
    """
    text = dumps(item)
    if any(_has_content(part) for part in typed.parts):
        parts = _with_item(framework, item, typed)
        # Typed parts only if nothing is lost by them.
        if _is_accepted(parts) and dumps(_restored(framework, json.loads(dumps(parts)))) == text:
            return parts
    if _is_accepted(item):
        return [_custom(framework, kind, item, "item")]
    return [_custom(framework, kind, {"json": text}, "json")]


def item_of(framework: str, message: Message) -> Json | None:
    """The item of a message, or ``None`` if the message was not written by this framework."""
    return _restored(framework, message.parts)


def _with_item(framework: str, item: Json, typed: Parts) -> list[Part]:
    rest = copy.deepcopy(item)
    for hole in typed.holes:
        _put(rest, hole.path, None)
    parts = copy.deepcopy(typed.parts)
    holes = [[list(hole.path), hole.part, hole.field] for hole in typed.holes]
    (fields,) = parts[0].values()
    fields["extra"] = {framework: {"item": rest, "holes": holes}}
    return parts


def _custom(framework: str, kind: str, data: Json, form: str) -> Part:
    name = kind if _is_name(kind, _LONGEST_NAME) and _is_accepted(kind) else framework
    return {"custom": {"kind": name, "data": data, "extra": {framework: {"form": form}}}}


def _restored(framework: str, parts: Sequence[Part]) -> Json | None:
    if not parts:
        return None
    ((kind, fields),) = parts[0].items()
    kept = (fields.get("extra") or {}).get(framework)
    if not isinstance(kept, Mapping):
        return None
    if kind == "custom" and "form" in kept:
        data: Json = fields["data"]
        found: Json = json.loads(data["json"]) if kept["form"] == "json" else data
        return found
    item: Json = copy.deepcopy(kept["item"])
    for path, at, field in kept["holes"]:
        (values,) = parts[at].values()
        _put(item, path, values.get(field))
    return item


def _put(item: Any, path: Path, value: Any) -> None:
    *steps, last = path
    for step in steps:
        item = item[step]
    item[last] = value


def _has_content(part: Part) -> bool:
    """The server refuses a message whose parts are all empty texts."""
    ((kind, fields),) = part.items()
    return kind not in ("text", "reasoning") or bool(fields["text"])


def _is_accepted(value: Any) -> bool:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        return False
    return "\\u0000" not in text and not _is_deeper(value, _DEEPEST)


def _is_deeper(value: Any, levels: int) -> bool:
    if levels == 0:
        return True
    if isinstance(value, dict):
        return any(_is_deeper(child, levels - 1) for child in value.values())
    if isinstance(value, (list, tuple)):
        return any(_is_deeper(child, levels - 1) for child in value)
    return False
