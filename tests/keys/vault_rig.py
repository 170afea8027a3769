"""A desk's corner of a Vault: the contract server's, or a real one's if the environment names it.

Set up by hvac over the API, as an operator would, so that the same tests run against both.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import hvac
import hvac.exceptions
import requests
from pydantic import SecretStr

from bot.config_file import SecretAt, VaultAccess, VaultPart
from bot.keys import vault, vault_policy
from bot.keys.vault import VaultKeys, VaultLimits
from bot.keys.vault_line import LineLimits
from bot.keys.vault_session import Session, SessionLimits
from bot.sandbox.vault import server as vaults
from bot.sandbox.vault.records import OPENBAO, ROOT, VAULT
from bot.sandbox.vault.server import SimulatedVault
from bot.sandbox.vault.state import VaultState

REAL = "VAULT_TEST_ADDR"
SERVERS = [VAULT, OPENBAO] + (["real"] if REAL in os.environ else [])
"""On which the scenarios run; the contract server stands for the two it was held to."""
DOCUMENT = {"api_key": "CANARYKEY1", "api_secret": "canary-secret-2", "weights": [1, 2.5, None]}
SECRET_AT = SecretAt(env="UNUSED")


@dataclass
class Rig:
    """A KV engine, an AppRole and a policy of its own on one server."""

    url: str
    root: str
    fake: SimulatedVault | None
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        self.admin = hvac.Client(url=self.url, token=self.root, session=session)
        self.mount, self.auth_mount = f"kv-{self.mark}", f"approle-{self.mark}"
        self.admin.sys.enable_secrets_engine("kv", path=self.mount, options={"version": "2"})
        self.admin.sys.enable_auth_method("approle", path=self.auth_mount)
        self.role()

    def role(self, **facts: Any) -> None:
        given = {"token_policies": [self.mark], "token_no_default_policy": True} | facts
        approle = self.admin.auth.approle
        approle.create_or_update_approle("bot", mount_point=self.auth_mount, **given)

    def part(self, **facts: Any) -> VaultPart:
        approle = self.admin.auth.approle.read_role_id("bot", mount_point=self.auth_mount)
        given: dict[str, Any] = {
            "address": self.url,
            "auth": "approle",
            "auth_mount": self.auth_mount,
            "mount": self.mount,
            "role_id": approle["data"]["role_id"],
            "secret_id": SECRET_AT,
        }
        return VaultPart(**(given | facts))

    def secret_id(self) -> str:
        approle = self.admin.auth.approle
        reply = approle.generate_secret_id("bot", mount_point=self.auth_mount)
        return str(reply["data"]["secret_id"])

    def wrapped_secret_id(self, role: str = "bot") -> str:
        reply = self.admin.write_data(
            f"auth/{self.auth_mount}/role/{role}/secret-id", data={}, wrap_ttl="60s"
        )
        assert isinstance(reply, dict)
        return str(reply["wrap_info"]["token"])

    def allow(self, *paths: str) -> None:
        """Write the policy that the bot prints for these paths."""
        self.admin.sys.create_or_update_policy(self.mark, vault_policy.hcl(self.part(), paths))

    def write(self, path: str, document: dict[str, Any]) -> None:
        for _ in range(100):  # A real engine is unavailable for a moment after it was enabled.
            try:
                self.admin.secrets.kv.v2.create_or_update_secret(
                    path, document, mount_point=self.mount
                )
            except hvac.exceptions.InvalidRequest:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the engine takes no secret")

    def unwrapped(self, wrapping: str) -> str:
        """Open a wrapping token, as whoever stole it would."""
        with self.as_owner(wrapping) as client:
            return str(client.sys.unwrap()["data"]["secret_id"])

    def is_dead(self, token: str) -> bool:
        """Tell whether a token is expired or revoked."""
        with self.as_owner(token) as client:
            return not client.is_authenticated()

    @contextmanager
    def as_owner(self, token: str) -> Iterator[hvac.Client]:
        """Act with another token."""
        with requests.Session() as session:
            session.trust_env = False
            yield hvac.Client(url=self.url, token=token, session=session)

    def access(self, credential: str = "", **facts: Any) -> Access:
        """Return how the bot gets in: by AppRole, with a new secret_id unless one is given."""
        return Access(part=self.part(**facts), text=credential or self.secret_id())


@dataclass
class Access:
    """A credential that a test may change while the bot serves."""

    part: VaultPart
    text: str
    reads: int = 0

    def credential(self) -> SecretStr:
        self.reads += 1
        return SecretStr(self.text)

    def made(self) -> VaultAccess:
        return VaultAccess(part=self.part, credential=self.credential)


FAST = VaultLimits(
    read_s=2.0,
    line=LineLimits(threads=32, waits_s=(0.001, 0.001, 0.001, 0.001)),
    session=SessionLimits(call_s=2.0, again_s=0.02, holds_s=(60.0,), revoke_s=0.2),
)
"""As in production, but for waits that a test would sit out."""


@contextmanager
def rig_on(server: str, **facts: Any) -> Iterator[Rig]:
    """Open a corner on a server of `SERVERS`."""
    if server == "real":
        rig = Rig(url=os.environ[REAL], root=os.environ["VAULT_TEST_TOKEN"], fake=None)
        yield rig
        rig.admin.sys.disable_secrets_engine(rig.mount)
        rig.admin.sys.disable_auth_method(rig.auth_mount)
        rig.admin.session.close()
        return
    with vaults.running(VaultState(server, **facts)) as fake:
        rig = Rig(url=fake.url, root=ROOT, fake=fake)
        yield rig
        rig.admin.session.close()


@asynccontextmanager
async def opened(access: Access, limits: VaultLimits = FAST) -> AsyncIterator[VaultKeys]:
    """Open the bot's keys."""
    async with vault.open_vault(access.made(), limits=limits) as keys:
        yield keys


BRISK = replace(FAST, read_s=0.5)
"""For servers that never answer."""


async def entered(keys: VaultKeys) -> str:
    """Wait until the bot is in, however busy this machine is; return its token."""
    async with asyncio.timeout(10):
        session = await keys._sessions.current()
    assert isinstance(session, Session), session
    return session.grant.token.get_secret_value()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to come true."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 — threads and a server announce nothing
            await asyncio.sleep(0.005)
