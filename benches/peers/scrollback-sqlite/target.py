"""Scrollback with its embedded SQLite: WAL, synchronous = FULL."""
import pathlib, sqlite3, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scrollback
from lib import graphql

DB = "own"
NOTE = "Scrollback, release build, embedded SQLite: also writes the feed of changes"
subscription = scrollback.subscription


def request(workload, item):
    return scrollback.request(graphql, workload, item)


def answer(workload, status, body):
    return scrollback.answer(graphql, workload, status, body)


def stored(env):
    with sqlite3.connect(env["STATE"] + ".db", timeout=30) as db:
        return db.execute("SELECT sum(message_count) FROM conversation").fetchone()[0]
