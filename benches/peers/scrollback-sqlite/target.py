"""Scrollback with its embedded SQLite: WAL, synchronous = FULL."""
import functools, pathlib, sqlite3, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scrollback
from lib import graphql

DB = "own"
NOTE = "Scrollback, release build, embedded SQLite: also writes the feed of changes"
subscription = scrollback.subscription
request = functools.partial(scrollback.request, graphql)
answer = functools.partial(scrollback.answer, graphql)


def stored(env):
    with sqlite3.connect(env["STATE"] + ".db", timeout=30) as db:
        return db.execute("SELECT sum(message_count) FROM conversation").fetchone()[0]
