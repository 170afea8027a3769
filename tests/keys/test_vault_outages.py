"""Vault out of order: what is an outage, what is repeated, and that nothing waits for it."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.domain.errors import ConfigError, SecretError
from bot.domain.limits import Limits
from bot.keys import sealed
from bot.keys.vault import VaultKeys, VaultLimits
from bot.keys.vault_calls import Answer
from bot.keys.vault_line import Cord, Line
from bot.keys.vault_login import look_up
from bot.keys.vault_session import Session
from bot.sandbox.vault import server as vaults
from bot.sandbox.vault.faults import Fault
from bot.sandbox.vault.records import OPENBAO, VAULT
from tests.fakes import certificates
from tests.keys.vault_rig import BRISK, FAST, Rig, entered, opened, rig_on, until

PATH = "venues/bybit-mm"
TEXT = '{"api_key": "k"}'


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rig_on(OPENBAO) as rig:
        rig.allow(PATH, "venues/hang", "venues/other")
        rig.write(PATH, {"api_key": "k"})
        yield rig


async def refusal(keys: VaultKeys, path: str = PATH) -> SecretError:
    with pytest.raises(SecretError) as caught:
        await keys.read(path)
    return caught.value


def asked(rig: Rig, path: str) -> int:
    return sum(call.path.endswith(path) for call in rig.fake.asked)


@pytest.mark.parametrize(
    ("fault", "why", "times"),
    [
        (Fault(kind="status", status=503, body={"errors": []}), "Vault is sealed", 1),
        (Fault(kind="status", status=412, body={"errors": []}), "this node of Vault has not", 5),
        (Fault(kind="status", status=429, body={"errors": []}), "Vault's rate limit is hit", 4),
        (Fault(kind="status", status=500, body={"errors": []}), "Vault fails inside (500)", 2),
        (Fault(kind="status", status=472, body={"errors": []}), "this Vault is a DR secondary", 1),
        (Fault(kind="status", status=307, location="http://x/"), "Vault has no active node now", 4),
        (Fault(kind="status", status=502), "is not Vault (502)", 3),
        (Fault(kind="status", status=504), "is not Vault (504)", 3),
        (Fault(kind="html"), "is not Vault (200)", 1),
        (Fault(kind="wrong"), "is not one of Vault's", 1),
        (Fault(kind="cut"), "the connection broke", 2),
    ],
    ids=lambda value: f"{value.kind} {value.status}" if isinstance(value, Fault) else "",
)
async def test_outage_is_named_repeated_so_often_and_worth_trying_again(
    rig: Rig, fault: Fault, why: str, times: int
):
    fault.path, fault.times = f"data/{PATH}", 1_000
    async with opened(rig.access()) as keys:
        rig.fake.faults[:] = [fault]
        rig.fake.asked.clear()
        error = await refusal(keys)
        assert asked(rig, f"data/{PATH}") == times
        rig.fake.faults.clear()
        assert (await keys.read(PATH)).text.get_secret_value() == TEXT
    assert why in error.user_message
    assert error.remedy
    assert error.retryable


@pytest.mark.parametrize("status", [412, 429, 307, 500, 502, 504])
async def test_outage_of_a_moment_is_not_even_noticed(rig: Rig, status: int):
    async with opened(rig.access()) as keys:
        fault = Fault(kind="status", status=status, body={"errors": []}, path="data", times=1)
        rig.fake.faults[:] = [fault]
        assert (await keys.read(PATH)).text.get_secret_value() == TEXT
        assert fault.times == 0


async def test_charset_of_a_proxy_does_not_hide_the_document(rig: Rig):
    rig.fake.faults[:] = [Fault(kind="charset")]
    async with opened(rig.access()) as keys:
        assert (await keys.read(PATH)).text.get_secret_value() == TEXT


@pytest.mark.parametrize("status", [401, 403])
async def test_what_says_no_is_no_outage_even_if_it_is_not_vault(rig: Rig, status: int):
    async with opened(rig.access()) as keys:
        rig.fake.faults[:] = [Fault(kind="status", status=status, path=f"data/{PATH}")]
        assert not (await refusal(keys)).retryable


@pytest.mark.parametrize("kind", ["hang", "drip header", "drip body"])
async def test_server_that_does_not_end_holds_neither_the_read_nor_a_thread(rig: Rig, kind):
    async with opened(rig.access(), BRISK) as keys:
        await entered(keys)
        rig.fake.faults[:] = [Fault(kind=kind, path=f"data/{PATH}")]
        begun = time.monotonic()
        error = await refusal(keys)
        assert time.monotonic() - begun < 3, "it would hang or drip for longer"
        assert error.user_message.endswith("no whole answer within 0.5 s")
        assert error.retryable
        await until(lambda: keys.busy == 0)


async def test_paths_that_hang_do_not_hold_up_the_rest(rig: Rig):
    async with opened(rig.access(), BRISK) as keys, asyncio.TaskGroup() as group:
        await entered(keys)
        rig.fake.faults[:] = [Fault(kind="hang", path="venues/hang")]
        hung = [group.create_task(refusal(keys, "venues/hang")) for _ in range(3)]
        await until(lambda: keys.busy == 3)
        assert (await keys.read(PATH)).text.get_secret_value() == TEXT
        assert not any(task.done() for task in hung)


async def test_read_that_nobody_waits_for_gives_its_thread_back(rig: Rig):
    async with opened(rig.access()) as keys, asyncio.TaskGroup() as group:
        await keys.read(PATH)
        rig.fake.faults[:] = [Fault(kind="hang", path="data")]
        task = group.create_task(keys.read(PATH))
        await until(lambda: keys.busy == 1)
        task.cancel()
        await until(lambda: keys.busy == 0)
        assert task.cancelled()


async def test_vault_that_is_sealed_at_start_serves_once_it_is_unsealed(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    """A restart at the worst moment must not need Vault."""
    caplog.set_level(logging.INFO)
    access = rig.access()
    rig.fake.state.is_sealed = True
    async with opened(access) as keys:
        assert (await refusal(keys)).user_message == "Vault is sealed"
        assert (await keys.unreadable([PATH]))[PATH].retryable
        await until(lambda: "vault.unwell" in caplog.messages)
        (told, *_) = [record for record in caplog.records if record.msg == "vault.unwell"]
        assert vars(told)["why"] == "Vault is sealed"
        rig.fake.state.is_sealed = False
        assert (await keys.read(PATH)).text.get_secret_value() == TEXT
        await until(lambda: "vault.recovered" in caplog.messages)


async def test_no_vault_at_all_is_said_in_words(rig: Rig):
    access = rig.access(address="http://127.0.0.1:1")
    async with opened(access) as keys:
        error = await refusal(keys)
    assert error.user_message == (
        "Vault at http://127.0.0.1:1 cannot be reached: connection refused"
    )
    assert error.retryable


@pytest.mark.parametrize("where", ["login", "data"])
async def test_redirect_carries_nothing_to_another_host(rig: Rig, where: str):
    """requests would send the token along, and a login's secret_id in the body."""
    with vaults.running() as thief:
        rig.fake.faults[:] = [
            Fault(kind="status", status=307, path=where, location=f"{thief.url}/v1/x")
        ]
        async with opened(rig.access()) as keys:
            error = await refusal(keys)
        assert "Vault has no active node now" in error.user_message
        assert thief.asked == []


async def test_environment_lends_neither_token_nor_proxy_nor_password(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path
):
    with vaults.running() as proxy:
        (tmp_path / ".vault-token").write_text("ambient-token")
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("VAULT_TOKEN", "ambient-token")
        monkeypatch.setenv("VAULT_ADDR", proxy.url)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        access = rig.access()
        rig.fake.asked.clear()
        async with opened(access) as keys:
            await keys.read(PATH)
        assert proxy.asked == []
    login = next(call for call in rig.fake.asked if call.path.endswith("/login"))
    assert "X-Vault-Token" not in login.headers
    for call in rig.fake.asked:
        assert "Authorization" not in call.headers
        assert "ambient-token" not in str(call)


def with_certificate(line: Line) -> Line:
    line.client.adapter._kwargs["cert"] = ("/none.pem", "/none.key")  # type: ignore[attr-defined]
    return line


async def test_private_ca_is_trusted_if_it_is_named_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path
):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    ca, server = certificates.certificate(tmp_path)
    with rig_on(OPENBAO) as plain, vaults.running(plain.fake.state, tls=server) as fake:
        plain.allow(PATH)
        plain.write(PATH, {"api_key": "k"})
        async with opened(plain.access(address=fake.url, ca=ca)) as keys:
            # hvac takes VAULT_CLIENT_CERT when it is imported, and gives it to each call.
            keys._calls._local.line = with_certificate(keys._calls._line())
            session = await keys._sessions.current()
            assert isinstance(session, Session)
            heard = keys._calls._ask(look_up, session.grant.token, Cord())
            assert isinstance(heard, Answer), heard
            assert (await keys.read(PATH)).text.get_secret_value() == TEXT
        async with opened(plain.access(address=fake.url)) as keys:
            error = await refusal(keys)
    assert "its certificate is not trusted: " in error.user_message
    assert "keys.vault.ca" in error.remedy
    assert not (tmp_path / "keys.log").exists()


async def test_ca_that_is_no_certificate_is_refused_at_start(rig: Rig, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(ConfigError) as caught:
            async with opened(rig.access(ca=tmp_path / name)):
                pass
        assert name in caught.value.user_message


@pytest.mark.parametrize(
    ("server", "echo", "says"),
    [
        (OPENBAO, "", ""),
        (VAULT, "", 'Vault does not say that it answers from the namespace "trading"'),
        (VAULT, "trading/", ""),
        (VAULT, "other/", 'Vault does not say that it answers from the namespace "trading"'),
    ],
    ids=["openbao echoes", "community ignores", "enterprise says in lookup", "another"],
)
async def test_namespace_is_believed_only_if_vault_names_it(server: str, echo: str, says: str):
    """Vault's community edition ignores the header, and answers from its root."""
    with rig_on(server, namespaces={"trading"}) as rig:
        rig.allow(PATH)
        rig.write(PATH, {"api_key": "k"})
        if echo:
            body = {"data": {"ttl": 60, "namespace_path": echo}}
            rig.fake.faults[:] = [Fault(kind="status", body=body, path="lookup-self")]
        async with opened(rig.access(namespace="trading/")) as keys:
            if not says:
                assert (await keys.read(PATH)).text.get_secret_value() == TEXT
                return
            error = await refusal(keys)
    assert says in error.user_message
    assert not error.retryable


async def test_control_group_is_told_apart_from_a_document(rig: Rig):
    rig.fake.state.controlled.add(f"{rig.mount}/data/{PATH}")
    async with opened(rig.access()) as keys:
        error = await refusal(keys)
    assert error.user_message == (
        f"Vault wraps {rig.mount}/data/{PATH}: it is under a control group"
    )
    assert not error.retryable


async def test_answer_that_is_too_long_is_not_read_to_its_end(rig: Rig):
    rig.write(PATH, {"api_key": "k" * 100_000})
    short = replace(FAST, line=replace(FAST.line, body_bytes_max=50_000))
    async with opened(rig.access(), short) as keys:
        error = await refusal(keys)
    assert error.user_message.endswith("cannot be reached: its answer is too long")


def test_whole_of_a_read_takes_less_than_a_run_waits():
    limits = VaultLimits()
    assert sum(limits.line.waits_s) < limits.read_s
    assert limits.read_s + sealed.LOOK_S < Limits().key_read_s, "the fallback has its turn"
    assert FAST.line.threads == limits.line.threads == 32
