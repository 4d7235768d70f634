"""One world of the sandbox: a backend of its own for one test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ._http import SandboxError, call_tester_api
from ._sandbox import RunningSandbox


class World:
    """A simulated backend with its own credentials, clock, faults, tokens and request log."""

    #: Its id.
    id: str
    #: URL of the backend, without a slash at its end; the phone page and the tester API are under it, too.
    url: str
    #: URL of the sandbox, which works for clients that send `api_key`.
    sandbox_url: str
    #: REST API key.
    api_key: str
    #: A session token that is valid from the start.
    session_token: str
    #: User name for the login.
    username: str
    #: Password for the login.
    password: str
    #: The seed. The same seed gives the same tokens, timings and avatars, in the order of the requests.
    seed: int

    def __init__(self, sandbox: RunningSandbox, settings: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        created = call_tester_api("POST", f"{sandbox.url}/sandbox/worlds", sandbox.operator_key, dict(settings))
        self.id = created["id"]
        self.url = f"{sandbox.url}/worlds/{self.id}"
        self.sandbox_url = sandbox.url
        self.api_key = created["api_key"]
        self.session_token = created["session_token"]
        self.username = created["username"]
        self.password = created["password"]
        self.seed = created["seed"]

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of `copresence sandbox -- COMMAND`, for a program under test."""
        variables = {
            "COPRESENCE_SANDBOX_URL": self.url,
            "COPRESENCE_SANDBOX_PHONE_URL": self.url,
            "COPRESENCE_API_KEY": self.api_key,
            "COPRESENCE_SESSION_TOKEN": self.session_token,
            "COPRESENCE_USERNAME": self.username,
            "COPRESENCE_PASSWORD": self.password,
        }
        if self._sandbox.operator_key:
            variables["COPRESENCE_OPERATOR_KEY"] = self._sandbox.operator_key
        return variables

    def phone_url(self, token: str) -> str:
        """The page that the QR code of a token opens."""
        return f"{self.url}/phone?exportToken={quote(token, safe='')}"

    def associate(self, token: str, avatar: str = "new", scenario: str | None = None) -> dict[str, Any]:
        """Plays the phone: a new avatar, or the id of an existing one. Returns the state of the token."""
        body = {"avatar": avatar} if scenario is None else {"avatar": avatar, "scenario": scenario}
        return self._call_for_token(token, "associate", body)

    def complete(self, token: str) -> dict[str, Any]:
        """Makes the avatar of a token ready now. Returns the state of the token."""
        return self._call_for_token(token, "complete")

    def fail(self, token: str) -> dict[str, Any]:
        """Makes the avatar of a token fail now. Returns the state of the token."""
        return self._call_for_token(token, "fail")

    def expire(self, token: str) -> dict[str, Any]:
        """Expires a token now. Returns the state of the token."""
        return self._call_for_token(token, "expire")

    def advance(self, seconds: float) -> dict[str, Any]:
        """Moves the clock forward. Returns the state of the clock."""
        return self._call("POST", "clock", {"advance_ms": round(seconds * 1000)})

    def pause(self) -> dict[str, Any]:
        """Stops the clock. Returns the state of the clock."""
        return self._call("POST", "clock", {"paused": True})

    def resume(self) -> dict[str, Any]:
        """Lets the clock run again. Returns the state of the clock."""
        return self._call("POST", "clock", {"paused": False})

    def set_speed(self, speed: float) -> dict[str, Any]:
        """Sets the simulated seconds per real second. Returns the state of the clock."""
        return self._call("POST", "clock", {"speed": speed})

    def set_faults(self, faults: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Replaces the list of faults (`copresence sandbox --list-faults`). Returns them with their counts."""
        return self._call("PUT", "faults", [dict(fault) for fault in faults])

    def faults(self) -> list[dict[str, Any]]:
        """The faults, each with the number of requests that it matched and that it was applied to."""
        return self._call("GET", "faults")

    def clear_faults(self) -> None:
        """Removes all faults."""
        self._call("DELETE", "faults")

    def requests(self) -> list[dict[str, Any]]:
        """The logged requests, oldest first, with masked credentials.."""
        return self._call("GET", "requests")

    def clear_requests(self) -> None:
        """Empties the request log."""
        self._call("DELETE", "requests")

    def state(self) -> dict[str, Any]:
        """The scenario, the clock and all tokens."""
        return self._call("GET", "state")

    def close(self) -> None:
        """Ends the world, unless it has ended. Its credentials and URLs are unknown from then on."""
        url = f"{self._sandbox.url}/sandbox/worlds/{self.id}"
        try:
            call_tester_api("DELETE", url, self._sandbox.operator_key)
        except SandboxError as error:
            # A world that nobody used for ten minutes ends by itself: the test was in a debugger.
            if error.status != 404:
                raise

    def _call_for_token(self, token: str, action: str, body: Any = None) -> dict[str, Any]:
        return self._call("POST", f"tokens/{quote(token, safe='')}/{action}", body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return call_tester_api(method, f"{self.url}/sandbox/{path}", self._sandbox.operator_key, body)
