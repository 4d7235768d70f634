"""The pytest plugin: the fixture `copresence_sandbox`, its marker and its options.

One sandbox serves all tests. With pytest-xdist, the controller starts it and tells its workers where it is. Without it, it
is started when the first test needs it.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ._http import SandboxError
from ._sandbox import RunningSandbox, SandboxProcess
from ._world import World

#: Number of request lines that are shown of a failed test.
_SHOWN_REQUESTS = 40

_WORLD_KEY = pytest.StashKey[World]()
_WORKER_INPUT = "copresence_sandbox"


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "The `copresence` program"
    parser.addini("copresence_command", about, default="copresence")
    group = parser.getgroup("copresence", "Copresence sandbox")
    group.addoption("--copresence-command", metavar="PROGRAM", help=f"{about} (default: `copresence_command` of the configuration)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "copresence(seed, scenario, scenario_file, speed, paused, faults): the settings of the world of the fixture "
        "`copresence_sandbox`; all are optional",
    )
    shared = _SharedSandbox(config)
    config.pluginmanager.register(shared, "copresence-shared-sandbox")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_XdistHooks(shared), "copresence-xdist-hooks")


class _SharedSandbox:
    """The sandbox of this run: from the environment, from the controller of pytest-xdist, or started here."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._process: SandboxProcess | None = None

    def running(self) -> RunningSandbox:
        """Where the sandbox is. Starts it at the first call."""
        given = getattr(self._config, "workerinput", {}).get(_WORKER_INPUT)
        if given is not None:
            if "problem" in given:
                raise SandboxError(given["problem"])
            return RunningSandbox(**given)
        existing = RunningSandbox.from_environment()
        if existing is not None:
            return existing
        if self._process is None:
            option = self._config.getoption("--copresence-command")
            self._process = SandboxProcess(option or self._config.getini("copresence_command"))
        return self._process.running

    def pytest_unconfigure(self) -> None:
        if self._process is not None:
            self._process.stop()


class _XdistHooks:
    """Tells the workers of pytest-xdist where the sandbox is."""

    def __init__(self, shared: _SharedSandbox) -> None:
        self._shared = shared

    def pytest_configure_node(self, node: Any) -> None:
        try:
            told = self._shared.running().as_dict()
        except SandboxError as error:
            # Reported by the tests that need the sandbox. The others run.
            told = {"problem": str(error)}
        node.workerinput[_WORKER_INPUT] = told


@pytest.fixture
def copresence_sandbox(request: pytest.FixtureRequest) -> Iterator[World]:
    """A simulated Copresence backend for this test alone.

    `@pytest.mark.copresence(…)` sets its scenario, seed, speed, faults, and whether its clock is paused. Without a seed, it
    is that of the test's name, so that each run of a test sees the same tokens and avatars.
    """
    shared = request.config.pluginmanager.getplugin("copresence-shared-sandbox")
    world = World(shared.running(), _world_settings(request.node))
    request.node.stash[_WORLD_KEY] = world
    try:
        yield world
    finally:
        del request.node.stash[_WORLD_KEY]
        world.close()


def _world_settings(item: pytest.Item) -> dict[str, Any]:
    """The settings of the markers, those nearest to the test first."""
    settings: dict[str, Any] = {"seed": zlib.crc32(item.nodeid.encode())}
    for marker in reversed(list(item.iter_markers("copresence"))):
        if marker.args:
            raise pytest.UsageError("@pytest.mark.copresence needs named arguments, as in scenario=\"long-queue\"")
        settings.update(marker.kwargs)
    file = settings.get("scenario_file")
    if file is not None:
        path = item.path.parent / Path(file)
        try:
            settings["scenario_file"] = path.read_text(encoding="utf-8")
        except OSError as error:
            raise pytest.UsageError(f"the scenario file {path} cannot be read: {error}") from error
    return settings


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the requests of its world to the report of a failed test."""
    report = yield
    world = item.stash.get(_WORLD_KEY, None)
    if world is not None and report.when == "call" and report.failed:
        report.sections.append((f"Copresence sandbox (seed {world.seed})", _describe_requests(world)))
    return report


def _describe_requests(world: World) -> str:
    try:
        lines = world.requests()
    except SandboxError as error:
        return f"the request log cannot be read: {error}"
    if not lines:
        return "no request was sent to it"
    described = [_describe_request(line) for line in lines[-_SHOWN_REQUESTS:]]
    left_out = len(lines) - len(described)
    return "\n".join(([f"({left_out} earlier requests)"] if left_out else []) + described)


def _describe_request(line: dict[str, Any]) -> str:
    status = line["status"] or "no answer"
    faults = f", faults: {', '.join(line['faults'])}" if line.get("faults") else ""
    return f"{line['at_ms'] / 1000:9.3f} s  {line['method']:6} {line['path']} → {status} ({line['duration_ms']} ms{faults})"
