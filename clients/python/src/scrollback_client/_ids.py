"""Ids of messages and conversations."""

from __future__ import annotations

import os
import time
import uuid

_NAMESPACE = uuid.UUID("6b0f6f0e-64c5-5c0c-9c57-1d2a8f3f7a51")


def new_id() -> str:
    """A UUID of version 7: later ones sort after earlier ones, which keeps the indexes of databases small."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in the form that the server writes."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def conversation_id(key: str, *, owner: str, namespace: str) -> str:
    """The id of the conversation for a key of a framework.

    A key that is a UUID is the id. Any other key is mapped by UUIDv5, together with the owner and a namespace: ids are
    unique among all users, and two users may both have a session called ``"default"``.
    """
    if is_uuid(key):
        return key.lower()
    return derived_id(namespace, owner, key)


def derived_id(*names: str) -> str:
    """The UUIDv5 of some names. Different names have different ids."""
    text = "".join(f"{len(name)}:{name}" for name in names)
    # Python's uuid5 cannot encode lone surrogates; such a name is still a name.
    return str(uuid.uuid5(_NAMESPACE, text.encode("utf-8", "backslashreplace").decode("utf-8")))
