"""Scrollback on PostgreSQL, in a database of its own in the benchmark's cluster."""
import pathlib, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scrollback
from lib import common, graphql, pg

DB = "own"
NOTE = "Scrollback, release build, its own tables: also writes the feed of changes"
subscription = scrollback.subscription
VARIANTS = {
    "scrollback-postgres": {},
    "scrollback-postgres-fenced": {"SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY": "on", "WORK": "_fenced"},
}


def request(workload, item):
    return scrollback.request(graphql, workload, item)


def answer(workload, status, body):
    return scrollback.answer(graphql, workload, status, body)


def stored(env):
    return int(pg.psql(f"scrollback_{env['SIZE']}{env.get('WORK', '')}", "SELECT sum(message_count) FROM conversation"))
