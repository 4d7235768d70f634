"""Requests to the tester API of a sandbox."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

OPERATOR_KEY_HEADER = "X-Sandbox-Operator-Key"

# The sandbox is on this machine or on the same network; a proxy would not find it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

#: Seconds until a request is given up. The tester API answers at once.
_TIMEOUT = 60


class SandboxError(Exception):
    """The sandbox cannot be started, or refused a request. The message says why."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        #: The status of the response that refused the request; `None` if there is none.
        self.status = status


def call_tester_api(method: str, url: str, operator_key: str | None, body: Any = None) -> Any:
    """Sends a request. Returns the JSON of the response, or `None` if there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    if operator_key:
        request.add_header(OPERATOR_KEY_HEADER, operator_key)
    try:
        with _OPENER.open(request, timeout=_TIMEOUT) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        message = f"{method} {url}: status {error.code}: {_error_text(error.read())}"
        raise SandboxError(message, error.code) from None
    except OSError as error:
        raise SandboxError(f"{method} {url}: {error}; is the sandbox still running?") from error
    return json.loads(text) if text else None


def _error_text(body: bytes) -> str:
    """The sentence in an error response of the sandbox."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:300]
