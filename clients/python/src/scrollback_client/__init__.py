"""Client of Scrollback, a server that stores chat.

:class:`Client` and :class:`AsyncClient` have the same methods. The modules ``openai_agents``, ``langchain``, ``llama_index``
and ``chainlit`` are stores for these frameworks; each needs its framework to be installed.
"""

from ._async_client import AsyncClient
from ._client import Client
from ._errors import (
    ConflictError,
    CursorExpiredError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    ScrollbackError,
    UnauthenticatedError,
)
from ._ids import new_id
from ._types import (
    Change,
    Conversation,
    DeletedMessage,
    FollowedMessage,
    Message,
    MessageStatus,
    NewMessage,
    Page,
    Part,
    Role,
    SearchHit,
    TextChunk,
)
from ._writer import AsyncMessageWriter, MessageWriter

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "AsyncMessageWriter",
    "Change",
    "Client",
    "ConflictError",
    "Conversation",
    "CursorExpiredError",
    "DeletedMessage",
    "FollowedMessage",
    "ForbiddenError",
    "Message",
    "MessageStatus",
    "MessageWriter",
    "NetworkError",
    "NewMessage",
    "NotFoundError",
    "Page",
    "Part",
    "Role",
    "ScrollbackError",
    "SearchHit",
    "TextChunk",
    "UnauthenticatedError",
    "new_id",
]
