"""Errors: what the server reported, or why there was no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ScrollbackError(Exception):
    """An operation failed.

    Attributes:
        code: ``extensions.code`` of the error, for example ``"NOT_FOUND"``. ``"NETWORK"`` if there was no answer.
        path: the field that failed, if the error has one.
        retry_after: seconds after which the same request can succeed, if the server said so.
        retryable: whether the same request can succeed later.
        extensions: everything in ``extensions`` of the error.
        status: the HTTP status, if there was an answer.
    """

    may_be_executed = False
    """Whether the operation may have been executed in spite of the error."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        path: Sequence[str | int] | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        extensions: Mapping[str, Any] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.path = None if path is None else tuple(path)
        self.retry_after = retry_after
        self.retryable = retryable
        self.extensions: Mapping[str, Any] = extensions or {}
        self.status = status

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class NetworkError(ScrollbackError):
    """There was no answer, or none that could be read: the operation may have been executed or not."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        may_be_executed: bool = True,
    ) -> None:
        super().__init__(message, code="NETWORK", retryable=True, status=status, retry_after=retry_after)
        self.may_be_executed = may_be_executed


class NotFoundError(ScrollbackError):
    """The object does not exist, or belongs to another user."""


class ConflictError(ScrollbackError):
    """The id was used for something else, or the state does not allow the change."""


class CursorExpiredError(ScrollbackError):
    """The change feed no longer reaches back to the cursor: read again, and follow from the new cursor."""


class UnauthenticatedError(ScrollbackError):
    """The token is missing, expired or not valid."""


class ForbiddenError(ScrollbackError):
    """The token lacks a scope."""


_CLASSES: Mapping[str, type[ScrollbackError]] = {
    "NOT_FOUND": NotFoundError,
    "CONFLICT": ConflictError,
    "CURSOR_EXPIRED": CursorExpiredError,
    "UNAUTHENTICATED": UnauthenticatedError,
    "FORBIDDEN": ForbiddenError,
}


def error_of(errors: Any, status: int | None = None) -> ScrollbackError:
    """The error of an answer: the first one of its list ``errors``."""
    first: Mapping[str, Any] = {}
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
    extensions = first.get("extensions") or {}
    code = str(extensions.get("code") or "UNKNOWN")
    after = extensions.get("retryAfterMs")
    error = _CLASSES.get(code, ScrollbackError)(
        str(first.get("message") or "the operation failed"),
        code=code,
        path=first.get("path"),
        retry_after=after / 1000 if isinstance(after, (int, float)) else None,
        retryable=extensions.get("retryable") is True,
        extensions=extensions,
        status=status,
    )
    # A commit can succeed while its answer is lost.
    error.may_be_executed = code in ("UNAVAILABLE", "INTERNAL_SERVER_ERROR")
    return error
