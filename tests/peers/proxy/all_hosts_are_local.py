"""Connects to 127.0.0.1 whatever host a client asks for: the proxy knows addresses that the client cannot resolve."""

from mitmproxy.proxy.server_hooks import ServerConnectionHookData


def server_connect(data: ServerConnectionHookData) -> None:
    if data.server.address is not None:
        data.server.address = ("127.0.0.1", data.server.address[1])
