"""Scrollback on PostgreSQL, in a database of its own in the benchmark's cluster."""
import functools, pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scrollback
from lib import graphql, pg

DB = "own"
NOTE = "Scrollback, release build, its own tables: also writes the feed of changes"
subscription = scrollback.subscription
VARIANTS = {
    "scrollback-postgres": {},
    "scrollback-postgres-rls": {"SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY": "on", "WORK": "_rls"},
}
request = functools.partial(scrollback.request, graphql)
answer = functools.partial(scrollback.answer, graphql)


def stored(env):
    return int(pg.psql(f"scrollback_{env['SIZE']}{env.get('WORK', '')}", "SELECT sum(message_count) FROM conversation"))
