"""Runs with several workers of pytest-xdist on one sandbox: each test must see its own world alone."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from pytest_copresence import SandboxError, World


def send(method: str, url: str, headers: dict[str, str]) -> tuple[int, Any]:
    """A request as a client of the vendor's API sends it."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def generate(world: World) -> str:
    headers = {"X-Copresence-REST-API-Key": world.api_key, "X-Copresence-Session-Token": world.session_token}
    status, body = send("POST", f"{world.sandbox_url}/generateExportToken", headers)
    assert status == 200, body
    return str(body["token"])


def redeem(world: World, token: str) -> tuple[int, Any]:
    headers = {"X-Copresence-REST-API-Key": world.api_key, "X-Copresence-Export-Token": token}
    return send("GET", f"{world.sandbox_url}/redeemExportToken", headers)


@pytest.mark.copresence(paused=True, seed=1)
@pytest.mark.parametrize("number", range(40))
def test_is_alone_in_its_world(copresence_sandbox: World, number: int, record_property: Any) -> None:
    record_property("sandbox", copresence_sandbox.sandbox_url)
    record_property("worker", os.environ.get("PYTEST_XDIST_WORKER", "none"))
    code = 500 + number
    copresence_sandbox.set_faults([{"on": "redeem", "nth": 2, "do": {"status": {"code": code}}}])
    token = generate(copresence_sandbox)
    record_property("token", token)
    assert redeem(copresence_sandbox, token)[0] == 200
    assert redeem(copresence_sandbox, token)[0] == code
    copresence_sandbox.advance(number)
    state = copresence_sandbox.state()
    assert state["clock"]["now_ms"] == number * 1000
    assert [seen["token"] for seen in state["tokens"]] == [token]
    redeems = [line for line in copresence_sandbox.requests() if line["path"] == "/redeemExportToken"]
    assert [line["status"] for line in redeems] == [200, code]


@pytest.mark.copresence(scenario="existing-avatar")
def test_marker_sets_the_scenario(copresence_sandbox: World) -> None:
    token = generate(copresence_sandbox)
    assert copresence_sandbox.associate(token)["state"] == "ready"
    status, body = redeem(copresence_sandbox, token)
    assert (status, len(body["payload_complete"])) == (200, 3)
    url = body["payload_complete"][2]["download_URL"]
    with urllib.request.urlopen(url) as portrait:
        assert portrait.read(4) == b"\x89PNG"


@pytest.mark.copresence(scenario_file="two-steps.toml", paused=True)
def test_scenario_file_is_relative_to_the_test(copresence_sandbox: World) -> None:
    token = generate(copresence_sandbox)
    assert copresence_sandbox.associate(token)["queue_position"] == 3
    copresence_sandbox.advance(5)
    assert copresence_sandbox.state()["tokens"][0]["completion_progress"] == 50
    copresence_sandbox.advance(5)
    assert redeem(copresence_sandbox, token)[1]["avatar_ready"] is True


def test_default_seed_is_that_of_the_name(copresence_sandbox: World, request: pytest.FixtureRequest) -> None:
    again = World(copresence_sandbox._sandbox, {"seed": copresence_sandbox.seed})
    try:
        assert generate(again) == generate(copresence_sandbox)
    finally:
        again.close()
        # One that has ended can be closed.
        again.close()
    with pytest.raises(SandboxError, match="404"):
        again.state()


def test_states_are_forced_and_shown(copresence_sandbox: World) -> None:
    token = generate(copresence_sandbox)
    copresence_sandbox.associate(token, "ari")
    assert copresence_sandbox.fail(token)["state"] == "failed"
    copresence_sandbox.associate(token, "remy")
    assert copresence_sandbox.complete(token)["state"] == "ready"
    assert copresence_sandbox.expire(token)["state"] == "expired"
    assert redeem(copresence_sandbox, token)[0] == 400
    with pytest.raises(SandboxError, match="409.*no longer active"):
        copresence_sandbox.fail(token)


def test_environment_of_a_program_under_test(copresence_sandbox: World) -> None:
    env = copresence_sandbox.env
    assert env["COPRESENCE_SANDBOX_URL"] == copresence_sandbox.url
    headers = {"X-Copresence-REST-API-Key": env["COPRESENCE_API_KEY"]}
    status, _ = send("GET", f"{env['COPRESENCE_SANDBOX_URL']}/redeemExportToken", headers)
    assert status == 400


def test_clock_runs_unless_it_is_paused(copresence_sandbox: World) -> None:
    copresence_sandbox.set_speed(1000)
    started = time.monotonic()
    while copresence_sandbox.state()["clock"]["now_ms"] < 1000:
        assert time.monotonic() - started < 60
    stopped = copresence_sandbox.pause()["now_ms"]
    assert copresence_sandbox.state()["clock"]["now_ms"] == stopped
    assert copresence_sandbox.resume()["paused"] is False
