"""A session through a client that checks every message against the protocol's types."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient


@pytest_lsp.fixture(  # type: ignore[untyped-decorator]
    config=ClientServerConfig(server_command=[sys.executable, "-P", "-m", "octolimb", "serve"])
)
async def client(lsp_client: LanguageClient, tmp_path: Path) -> AsyncGenerator[None]:
    lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda _: None)
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=pytest_lsp.client_capabilities("visual-studio-code"),
            workspace_folders=[types.WorkspaceFolder(uri=tmp_path.as_uri(), name="project")],
            initialization_options={"trusted": False, "tentacles": 8},
        )
    )
    yield
    await lsp_client.shutdown_session()


async def ask(client: LanguageClient, method: str) -> None:
    nested = {"jsonrpc": "2.0", "id": 1}
    await client.protocol.send_request_async(method, nested)  # type: ignore[no-untyped-call]


@pytest.mark.asyncio
async def test_a_typed_client_understands_the_session(client: LanguageClient) -> None:
    assert [message.message for message in client.log_messages] == ["unknown options are ignored: tentacles"]
    with pytest.raises(JsonRpcException, match="Method Not Found: octolimb/unknown"):
        await ask(client, "octolimb/unknown")


@pytest.mark.asyncio
async def test_what_went_wrong_is_not_popped_up(client: LanguageClient) -> None:
    client.protocol.notify("octolimb/unknown", {})
    client.protocol.notify("octolimb/limb/cancel", {"limb": "l3"})
    with pytest.raises(JsonRpcException):
        await ask(client, "octolimb/unknown")
    assert client.messages == []
