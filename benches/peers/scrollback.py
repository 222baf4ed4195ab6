"""What the two targets have in common: the requests, and our tables filled from the benchmark's data.

The only place outside the migrations that knows the columns of our tables.  Users and conversations
are numbered in the data; here a user is the subject "N", a conversation and a message the UUIDs below.
"""
import datetime, hashlib, os, pathlib, subprocess

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
ROLES = {"user": 1, "assistant": 2, "system": 3, "tool": 4}
EPOCH = datetime.date(1970, 1, 1)

W1 = "query($c:ID!){conversation(id:$c){messages(last:50){nodes{id role content createdAt}}}}"
W2 = "mutation($i:AppendMessageInput!){appendMessage(input:$i){message{id createdAt}}}"
W3 = "{conversations(first:20){nodes{id title updatedAt head{id role content createdAt}}}}"
W4 = "subscription($c:ID!){messageAdded(conversationId:$c){node{id role content createdAt}}}"


def conversation(number):
    return f"00000000-0000-7000-8000-{int(number):012x}"


def message(number):
    return f"00000000-0000-7000-9000-{int(number):012x}"


# --- requests -----------------------------------------------------------------------------------
def request(graphql, workload, item):
    if workload == "W1":
        return graphql.post(W1, {"c": conversation(item["conv"])})
    if workload == "W2":
        given = {"conversationId": conversation(item["conv"]), "role": item["role"].upper(), "content": item["content"]}
        return graphql.post(W2, {"i": given})
    return graphql.post(W3)


def lower(message):
    return message and dict(message, role=message["role"].lower())


def answer(graphql, workload, status, body):
    found = graphql.data(status, body)
    if workload == "W1":
        return [lower(m) for m in found["conversation"]["messages"]["nodes"]]
    if workload == "W2":
        return found["appendMessage"]["message"]
    nodes = found["conversations"]["nodes"]
    return [{"title": c["title"], "updatedAt": c["updatedAt"], "last": lower(c["head"])} for c in nodes]


def subscription(item, token):
    return {"Authorization": f"Bearer {token}"}, {"query": W4, "variables": {"c": conversation(item["conv"])}}


# --- the server ---------------------------------------------------------------------------------
def binary(env):
    """The release build of this project, or the one that BENCH_SCROLLBACK names."""
    return env.get("BENCH_SCROLLBACK") or f"{env['BUILD']}/scrollback"


def install(env):
    if not env.get("BENCH_SCROLLBACK"):
        subprocess.run(["cargo", "build", "--release", "--bin", "scrollback"], cwd=PROJECT, check=True)
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
        link = pathlib.Path(env["BUILD"]) / "scrollback"
        link.unlink(missing_ok=True)
        link.symlink_to(target / "release" / "scrollback")


def settings(env, url):
    """The environment that a server is started with."""
    return dict(env, SCROLLBACK_MODE="production", SCROLLBACK_DATABASE_URL=url, SCROLLBACK_AUTH_JWT_SECRET=env["JWT_SECRET"],
                SCROLLBACK_SERVER_LISTEN=f"127.0.0.1:{env.get('PORT') or 0}", SCROLLBACK_DATABASE_MAX_CONNECTIONS=env["POOL"],
                SCROLLBACK_SERVER_SOCKETS_PER_OWNER="3000", SCROLLBACK_LOG_LEVEL="warn")  # all sockets are of one user


def migrate(env, url):
    # Copies are made of it for servers with any setting: those that want row-level security put it up.
    env = dict(settings(env, url), SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY="off")
    subprocess.run([binary(env), "migrate", "up"], env=env, check=True)


def index(env, url):
    """Makes the search index, so that the server does not do it while it is measured."""
    env = dict(settings(env, url), SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY="off")
    subprocess.run([binary(env), "reindex"], env=env, check=True)


def version(env):
    """Changes with the data and with the schema, so that filled databases are made anew."""
    data = (pathlib.Path(env["DATA"]) / "meta.json").read_bytes()
    schema = b"".join(p.read_bytes() for p in sorted((PROJECT / "migration/src").glob("*.rs")))
    return hashlib.sha256(data + schema + pathlib.Path(__file__).read_bytes()).hexdigest()[:16]


# --- rows ---------------------------------------------------------------------------------------
class Times(dict):
    """Microseconds of a day's beginning, by its date."""

    def __missing__(self, date):
        days = (datetime.date.fromisoformat(date) - EPOCH).days
        return self.setdefault(date, days * 86_400_000_000)


def micros(stamp, days=Times()):
    """Of "2026-01-01 00:00:00.000+00"."""
    hours, minutes = int(stamp[11:13]), int(stamp[14:16])
    return days[stamp[:10]] + (hours * 3600 + minutes * 60 + int(stamp[17:19])) * 1_000_000 + int(stamp[20:23]) * 1000


MESSAGE = ("conversation_id", "position", "id", "owner_id", "role", "content", "metadata", "created_at")
CONVERSATION = ("id", "owner_id", "title", "metadata", "created_at", "updated_at", "message_count", "last_position", "head_position")
ACCOUNT = ("id", "revision", "created_at")


class Rows:
    """Our rows from the benchmark's files: first all messages, oldest first, then the others, which count them.
    Texts stay as COPY escapes them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.count, self.revisions = {}, {}

    def _lines(self, name):
        with open(self.folder / f"{name}.tsv", encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\n").split("\t")

    def messages(self):
        for number, conv, user, role, content, stamp in self._lines("messages"):
            position = self.count[conv] = self.count.get(conv, 0) + 1
            self.revisions[user] = self.revisions.get(user, 0) + 1
            yield conversation(conv), position, message(number), user, ROLES[role], content, "{}", micros(stamp)

    def conversations(self):
        for number, user, title, created, updated in self._lines("conversations"):
            n = self.count.get(number, 0)
            self.revisions[user] = self.revisions.get(user, 0) + 1
            yield conversation(number), user, title, "{}", micros(created), micros(updated), n, n, n

    def accounts(self):
        """Their changes are so old that they have been trimmed."""
        for user, revision in self.revisions.items():
            yield user, revision, 0
