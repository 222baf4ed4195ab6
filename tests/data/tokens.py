#!/usr/bin/env python3
"""Writes tokens.txt: for each text the first 8 bytes of its SHA-256, and its tokens in o200k_base and cl100k_base.

The texts are the strings of the JSON files beside this script, and random ones, which `tests/it/context/counts.rs` makes
in the same way. It needs `pip install tiktoken`, which downloads the vocabularies.
"""

import hashlib
import json
import pathlib

import tiktoken

HERE = pathlib.Path(__file__).parent
RANGES = [
    (0x20, 0x7E), (0x61, 0x7A), (0x41, 0x5A), (0x30, 0x39), (0x9, 0xD), (0x20, 0x20), (0xA0, 0x24F), (0x300, 0x36F),
    (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0x2000, 0x206F), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF), (0x1F1E6, 0x1F1FF), (0x10000, 0x10FFFF),
]
state = 1


def below(limit):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % limit


def random_text():
    text = ""
    for _ in range(1 + below(30)):
        first, last = RANGES[below(len(RANGES))]
        for _ in range(1 + below(8)):
            text += chr(first + below(last - first + 1))
    return text


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for field in value.values():
            yield from strings(field)


texts = set()
for path in HERE.glob("*.json"):
    texts.update(strings(json.loads(path.read_text())))
for path in HERE.glob("*.jsonl"):
    for line in path.read_text().splitlines():
        texts.update(strings(json.loads(line)))
texts.update(random_text() for _ in range(1500))
encodings = [tiktoken.get_encoding(name) for name in ("o200k_base", "cl100k_base")]
lines = []
for text in texts:
    counts = [str(len(encoding.encode_ordinary(text))) for encoding in encodings]
    lines.append(" ".join([hashlib.sha256(text.encode()).hexdigest()[:16], *counts]) + "\n")
(HERE / "tokens.txt").write_text("".join(sorted(lines)))
