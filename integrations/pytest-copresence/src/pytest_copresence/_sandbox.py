"""The process of the sandbox, which all workers share."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import asdict, dataclass

from ._http import SandboxError

__all__ = ["RunningSandbox", "SandboxError", "SandboxProcess"]

#: Seconds that the sandbox has to end before it is killed.
_END_GRACE = 10


@dataclass(frozen=True)
class RunningSandbox:
    """Where a sandbox listens."""

    #: URL without a slash at its end.
    url: str
    #: Key of the tester API; `None` where it is not needed.
    operator_key: str | None = None

    @classmethod
    def from_environment(cls) -> RunningSandbox | None:
        """The sandbox of `copresence sandbox -- pytest`, or one that `COPRESENCE_SANDBOX_URL` names."""
        url = os.environ.get("COPRESENCE_SANDBOX_URL")
        if not url:
            return None
        return cls(url=url.rstrip("/"), operator_key=os.environ.get("COPRESENCE_OPERATOR_KEY") or None)

    def as_dict(self) -> dict[str, str | None]:
        """A form that pytest-xdist can send to its workers."""
        return asdict(self)


class SandboxProcess:
    """A sandbox that this process started. It ends with this process, in whatever way that ends."""

    def __init__(self, command: str) -> None:
        arguments = [command, "sandbox", "--listen", "127.0.0.1:0", "--json", "--until-stdin-closes"]
        try:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise SandboxError(
                f"`{command}` cannot be started: {error}; install copresence, or set `copresence_command` in the pytest "
                "configuration, or run `copresence sandbox -- pytest`"
            ) from error
        assert self._process.stdout is not None
        first_line = self._process.stdout.readline()
        try:
            listening = json.loads(first_line)
            self.running = RunningSandbox(url=listening["url"], operator_key=listening["operator_key"])
        except (ValueError, KeyError):
            self._process.kill()
            errors = self._process.communicate()[1]
            raise SandboxError(f"`{' '.join(arguments)}` did not start: {first_line}{errors}") from None
        # The lines about requests are not used, but must be read so that the pipes do not fill.
        for pipe in (self._process.stdout, self._process.stderr):
            threading.Thread(target=_read_to_end, args=(pipe,), daemon=True).start()

    def stop(self) -> None:
        """Ends the sandbox, and waits for its end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _read_to_end(pipe: object) -> None:
    for _ in pipe:  # type: ignore[attr-defined]
        pass
