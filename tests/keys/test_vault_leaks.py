"""No secret of Vault's leaves by an error or a log line, whatever a library puts into its own."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
import urllib3
from pydantic import SecretStr

from bot.domain.errors import SecretError
from bot.keys.vault_calls import Unanswered
from bot.sandbox.vault.faults import Fault
from bot.sandbox.vault.records import OPENBAO
from tests.keys.vault_rig import DOCUMENT, FAST, SECRET_AT, Rig, entered, opened, rig_on

PATH = "venues/bybit-mm"
BODY = {"errors": ["CANARYKEY1 canary-secret-2"], "data": {"data": {"k": "canary-secret-2"}}}
FAULTS = [
    Fault(kind="status", status=status, body=body)
    for status in (400, 403, 404, 405, 412, 413, 429, 500, 502, 503)
    for body in (BODY, "canary-secret-2", ["canary-secret-2"], {"errors": "canary-secret-2"})
] + [Fault(kind=kind) for kind in ("hang", "drip body", "html", "cut", "wrong")]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with rig_on(OPENBAO) as rig:
        rig.allow(PATH)
        rig.write(PATH, DOCUMENT)
        yield rig


def told(error: BaseException | None) -> str:
    """Return all that an exception could say, and what it came of."""
    if error is None:
        return ""
    own = f"{error!r} {error} {error.args!r} {vars(error)!r}"
    return own + told(error.__cause__) + told(error.__context__)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "".join(f"{vars(record)!r} {record.getMessage()}" for record in caplog.records)


@pytest.mark.parametrize("where", ["data/", "/login", "lookup-self", "capabilities-self"])
async def test_no_error_and_no_log_line_holds_a_secret(
    rig: Rig, caplog: pytest.LogCaptureFixture, where: str
):
    caplog.set_level(logging.DEBUG)
    access = rig.access()
    # Also the parts of a connection that urllib3 and hvac describe at DEBUG.
    limits = replace(FAST, read_s=0.1, session=replace(FAST.session, call_s=0.1))
    said, secrets = "", ["CANARYKEY1", "canary-secret-2", access.text]
    for fault in FAULTS:
        async with opened(access) as keys:
            secrets.append(await entered(keys))
            if where == "lookup-self":
                rig.fake.state.tokens.pop(secrets[-1])
            if where == "/login":
                keys._sessions._session = None
            keys._limits, keys._sessions._limits = limits, limits.session
            rig.fake.faults[:] = [replace(fault, path=where)]
            for work in (keys.read(PATH), keys.unreadable([PATH])):
                try:
                    said += repr(await work)
                except SecretError as error:
                    said += told(error)
            rig.fake.faults.clear()
    text = said + logged(caplog)
    assert "SecretError" in said
    assert [secret for secret in secrets if secret in text] == []


def kinds(root: type[BaseException]) -> Iterator[type[BaseException]]:
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize(
    "kind",
    sorted({*kinds(requests.RequestException), *kinds(urllib3.exceptions.HTTPError)}, key=repr),
)
async def test_no_exception_of_the_libraries_gets_out(rig: Rig, kind: type[Exception]):
    async with opened(rig.access()) as keys:

        def ask(_):
            error = kind.__new__(kind)
            error.args = ("canary-secret-2",)
            raise error

        heard = await keys._calls.ask(ask)
    assert isinstance(heard, Unanswered)
    assert "canary" not in repr(heard)


async def test_what_holds_a_secret_does_not_show_it(rig: Rig):
    wrapped = rig.access(rig.wrapped_secret_id(), role="bot", wrapped_secret_id=SECRET_AT)
    async with opened(wrapped) as keys:
        document = await keys.read(PATH)
        token = await entered(keys)
        session = keys._sessions._session
        wrapping = keys._sessions._login._wrapping._opened
        assert wrapping is not None
        (_, secret_id) = wrapping
        assert isinstance(secret_id, SecretStr)
        heard = await keys._calls.ask(
            lambda client: client.secrets.kv.v2.read_secret_version(
                PATH, mount_point=rig.mount, raise_on_deleted_version=True
            ),
            token=session.grant.token,
        )
    assert heard.body["data"]["data"] == DOCUMENT
    shown = f"{document!r} {session!r} {wrapping!r} {heard!r}"
    for secret in ("canary-secret-2", token, wrapped.text, secret_id.get_secret_value()):
        assert secret not in shown
