"""A simulated Copresence backend for tests. The fixture `copresence_sandbox` is in the plugin."""

from ._sandbox import RunningSandbox, SandboxError, SandboxProcess
from ._world import World

__all__ = ["RunningSandbox", "SandboxError", "SandboxProcess", "World"]
