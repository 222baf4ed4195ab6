"""Writers of messages that grow: what the synchronous and the asynchronous one do alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from . import _decode, _documents
from ._asyncio import AsyncConnection
from ._errors import ScrollbackError
from ._http import Call, Operation
from ._sync import Connection
from ._types import Message, MessageStatus, NewMessage, Part

_INTERVAL = 0.05


class _Writer:
    """The state of a writer: the text that was sent, and the text that waits for a moment."""

    def __init__(self, conversation_id: str, start: NewMessage) -> None:
        self.message_id: str = _decode.message_input(start)["id"] if start.id is None else start.id
        """The id of the message."""
        self.stop_requested = False
        """Whether a reader asked for the end. Leave the loop then: the message becomes ``INTERRUPTED``."""
        self.message: Message | None = None
        """The finished message."""
        self._conversation_id = conversation_id
        self._start = NewMessage(**{**vars(start), "id": self.message_id, "status": "STREAMING"})
        self._length = 0
        self._waiting: list[str] = []
        self._sent_at = 0.0

    def _begin(self) -> Operation[None]:
        input = {"conversationId": self._conversation_id, "messages": [_decode.message_input(self._start)]}
        yield Call(_documents.WRITE, {"append": input})

    def _is_due(self) -> bool:
        return time.monotonic() - self._sent_at >= _INTERVAL

    def _flush(self) -> Operation[None]:
        """Sends what waits. A repeated piece changes nothing, so this is safe to retry."""
        pieces = len(self._waiting)
        text = "".join(self._waiting)
        variables = {"id": self.message_id, "offset": self._length, "text": text}
        answer = yield Call(_documents.APPEND_TEXT, variables)
        del self._waiting[:pieces]
        self._length += len(text)
        self.stop_requested = bool(answer.data["appendMessageText"]["stopRequested"])
        self._sent_at = time.monotonic()

    def _finish(
        self,
        status: MessageStatus,
        parts: Sequence[Part] | None,
        usage: Mapping[str, int] | None,
        metadata: Mapping[str, Any] | None,
    ) -> Operation[Message]:
        if self._waiting:
            yield from self._flush()
        input = _decode.given(
            messageId=self.message_id,
            status=status,
            parts=None if parts is None else list(parts),
            usage=_decode.mapping(usage),
            metadata=_decode.mapping(metadata),
        )
        answer = yield Call(_documents.FINISH, {"input": input})
        self.message = _decode.message(answer.data["finishMessage"]["message"])
        return self.message

    def _status(self, error: BaseException | None) -> MessageStatus:
        """The status of a message whose writer did not finish it itself."""
        if isinstance(error, Exception):
            return "FAILED"
        return "INTERRUPTED" if error is not None or self.stop_requested else "COMPLETE"


class MessageWriter(_Writer):
    """Writes a message piece by piece. Use it with ``with``: leaving the block finishes the message.

    Pieces that follow each other quickly are sent together. An exception in the block makes the message ``FAILED``.
    """

    def __init__(
        self, connection: Connection, act_as: str | None, conversation_id: str, start: NewMessage
    ) -> None:
        super().__init__(conversation_id, start)
        self._connection, self._act_as = connection, act_as

    def __enter__(self) -> MessageWriter:
        self._connection.run(self._begin(), self._act_as)
        return self

    def write(self, text: str) -> None:
        """Adds text."""
        self._waiting.append(text)
        if self._is_due():
            self.flush()

    def flush(self) -> None:
        """Sends what is not sent yet. Without text it tells the server that the writer is still there."""
        self._connection.run(self._flush(), self._act_as)

    def finish(
        self,
        status: MessageStatus = "COMPLETE",
        *,
        parts: Sequence[Part] | None = None,
        usage: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Message:
        """Ends the message, for example with the tokens that it used."""
        return self._connection.run(self._finish(status, parts, usage, metadata), self._act_as)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.message is not None:
            return
        try:
            self.finish(self._status(error))
        except ScrollbackError as failure:
            # The error of the block says more.
            if error is None:
                raise
            error.__context__ = error.__context__ or failure


class AsyncMessageWriter(_Writer):
    """The same as :class:`MessageWriter`, with ``async with`` and ``await``."""

    def __init__(
        self, connection: AsyncConnection, act_as: str | None, conversation_id: str, start: NewMessage
    ) -> None:
        super().__init__(conversation_id, start)
        self._connection, self._act_as = connection, act_as

    async def __aenter__(self) -> AsyncMessageWriter:
        await self._connection.run(self._begin(), self._act_as)
        return self

    async def write(self, text: str) -> None:
        """Adds text."""
        self._waiting.append(text)
        if self._is_due():
            await self.flush()

    async def flush(self) -> None:
        """Sends what is not sent yet. Without text it tells the server that the writer is still there."""
        await self._connection.run(self._flush(), self._act_as)

    async def finish(
        self,
        status: MessageStatus = "COMPLETE",
        *,
        parts: Sequence[Part] | None = None,
        usage: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Message:
        """Ends the message, for example with the tokens that it used."""
        return await self._connection.run(self._finish(status, parts, usage, metadata), self._act_as)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.message is not None:
            return
        try:
            await self.finish(self._status(error))
        except ScrollbackError as failure:
            # The error of the block says more.
            if error is None:
                raise
            error.__context__ = error.__context__ or failure
