"""Errors of the network in words: what failed on the way to the ACD, and what to do about it."""

import errno
import os
import ssl
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import aiohttp

from bridge.acd.words import cleaned


class AnswerTooLarge(Exception):  # noqa: N818 - a value inside the client, never raised to a caller
    """The answer is larger than any answer of its kind can be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is larger than {limit} bytes")


class _Kind(NamedTuple):
    error: type[BaseException]
    words: Callable[[Any], str]
    hint: str


_KINDS: Final = (
    _Kind(
        aiohttp.ConnectionTimeoutError,
        lambda _: "no connection within the time of acd.timeout",
        "check host and port in acd.url; a firewall may drop the packets",
    ),
    _Kind(
        TimeoutError,
        lambda _: "no answer within the time of acd.timeout",
        "the ACD is slow; check its load, or raise acd.timeout",
    ),
    _Kind(
        aiohttp.ClientConnectorDNSError,
        lambda error: f"the host name {error.host!r} cannot be resolved: {_cause(error.os_error)}",
        "check the host in acd.url, and this machine's DNS",
    ),
    _Kind(
        aiohttp.ClientConnectorCertificateError,
        lambda error: f"TLS: the certificate is not trusted: {_cause(error.certificate_error)}",
        "name the authority that signed the ACD's certificate in acd.ca_file, and check the host in acd.url",
    ),
    _Kind(
        aiohttp.ClientConnectorSSLError,
        lambda error: f"TLS failed: {_cause(error.os_error)}",
        "check that acd.url has the right scheme (http or https) and port",
    ),
    _Kind(
        aiohttp.ClientConnectorError,
        lambda error: f"no connection to {error.host}:{error.port}: {_cause(error.os_error)}",
        "check host and port in acd.url, and whether the ACD runs and a firewall lets it through",
    ),
    _Kind(
        aiohttp.ServerDisconnectedError,
        lambda _: "the server closed the connection without an answer",
        "check the ACD, and proxies in front of it",
    ),
    _Kind(
        aiohttp.ClientPayloadError,
        lambda _: "the answer broke off",
        "check the ACD, and proxies in front of it",
    ),
    _Kind(
        aiohttp.ClientResponseError,
        lambda error: f"the answer is no readable HTTP: {error.message}",
        "check that acd.url leads to the ACD",
    ),
    _Kind(AnswerTooLarge, str, "check that acd.url leads to the ACD"),
    _Kind(
        BaseException,
        lambda error: f"the connection failed: {type(error).__name__}: {error}",
        "check the ACD, and proxies in front of it",
    ),
)
"""The first class that fits is taken, so the finer ones stand before the coarser."""


def words_of_failure(error: BaseException) -> str:
    """What happened, in one line."""
    return cleaned(_kind_of(error).words(error))


def hint_of_failure(error: BaseException) -> str:
    """What the operator can do about it."""
    return _kind_of(error).hint


def is_unreadable(error: BaseException) -> bool:
    """Whether the server answered, but not in readable HTTP."""
    return isinstance(error, aiohttp.ClientResponseError)


def _kind_of(error: BaseException) -> _Kind:
    return next(kind for kind in _KINDS if isinstance(error, kind.error))


def _cause(error: BaseException) -> str:
    # An SSLError's errno is one of OpenSSL's, not of the system's; those not made by OpenSSL have no reason.
    if isinstance(error, ssl.SSLError):
        return getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return str(error)
