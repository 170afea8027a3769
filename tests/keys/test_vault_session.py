"""Our token in Vault: one login for all, renewed in time, given up in the end."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.errors import ConfigError, SecretError
from bot.keys.vault import VaultKeys
from bot.keys.vault_session import EARLY, LATE, Session
from bot.keys.vault_words import Trouble
from bot.sandbox.vault.faults import Fault
from bot.sandbox.vault.records import OPENBAO, VAULT
from tests.keys.vault_rig import FAST, SECRET_AT, Rig, entered, opened, rig_on, until
from tests.keys.vault_stage import b64_bytes, made_jwt

PATH = "venues/bybit-mm"
TEXT = '{"api_key": "k"}'


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rig_on(OPENBAO) as rig:
        rig.allow(PATH)
        rig.write(PATH, {"api_key": "k"})
        yield rig


async def text_of(keys: VaultKeys) -> str:
    return (await keys.read(PATH)).text.get_secret_value()


async def refusal(keys: VaultKeys) -> SecretError:
    with pytest.raises(SecretError) as caught:
        await keys.read(PATH)
    return caught.value


def asked(rig: Rig, end: str) -> int:
    return sum(call.path.endswith(end) for call in rig.fake.asked)


async def until_renewed(rig: Rig, keys: VaultKeys, times: int) -> None:
    """Wait until Vault was asked, and the answer was taken."""
    await until(lambda: asked(rig, "renew-self") == times)
    await until(lambda: keys._sessions._session.due_at > 0)


def make_due(keys: VaultKeys) -> None:
    """Let the time for renewal have come."""
    sessions = keys._sessions
    assert sessions._session is not None
    sessions._session = replace(sessions._session, due_at=0.0)
    sessions._changed.set()


async def test_twenty_first_reads_share_one_login(rig: Rig):
    access = rig.access()
    async with opened(access) as keys:
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(text_of(keys)) for _ in range(20)]
        assert {read.result() for read in reads} == {TEXT}
    assert asked(rig, "/login") == 1
    assert access.reads == 1


async def test_read_that_gives_up_leaves_the_login_to_the_others(rig: Rig):
    rig.fake.faults[:] = [Fault(kind="hang", path="/login", times=1)]
    async with opened(rig.access(), replace(FAST, read_s=0.2)) as keys:
        error = await refusal(keys)
        assert "no whole answer within 0.2 s" in error.user_message
        assert asked(rig, "/login") == 1
        assert not keys._sessions._logging_in.done(), "the keeper still waits for it"


async def test_token_is_renewed_before_two_thirds_of_its_life(rig: Rig):
    rig.role(token_ttl="1s")
    async with opened(rig.access()) as keys:
        token = await entered(keys)
        session = keys._sessions._session
        assert EARLY <= 1 - (session.ends_at - session.due_at) <= LATE
        await until(lambda: asked(rig, "renew-self") > 0)
        await until(lambda: keys._sessions._session is not session)
        assert await entered(keys) == token
        assert keys._sessions._session.ends_at > session.ends_at
    assert asked(rig, "/login") == 1


async def test_token_near_its_max_ttl_is_replaced_while_it_lives(rig: Rig):
    rig.role(token_ttl="60s", token_max_ttl="100s")
    async with opened(rig.access()) as keys:
        token = await entered(keys)
        rig.fake.state.skew_s += 30
        make_due(keys)
        await until_renewed(rig, keys, 1)
        assert asked(rig, "/login") == 1, "far from max TTL it is renewed"
        rig.fake.state.skew_s += 30
        make_due(keys)
        await until(lambda: keys._sessions._generation == 2)
        assert rig.fake.state.tokens[token].ends > rig.fake.state.now(), "the old one still lives"
        assert await entered(keys) != token


async def test_periodic_token_is_renewed_for_ever(rig: Rig):
    rig.role(token_period="60s", token_max_ttl="100s")
    async with opened(rig.access()) as keys:
        token = await entered(keys)
        for count in range(1, 6):
            rig.fake.state.skew_s += 40
            make_due(keys)
            await until_renewed(rig, keys, count)
        assert await entered(keys) == token
    assert asked(rig, "/login") == 1


async def test_two_renewals_that_fail_are_told_loudly_and_reads_go_on(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    async with opened(rig.access()) as keys:
        await entered(keys)
        rig.fake.faults[:] = [Fault(kind="status", status=500, body={}, path="renew-self")]
        make_due(keys)
        await until(lambda: "vault.unwell" in caplog.messages)
        first = [r.levelname for r in caplog.records if r.name == "bot.keys.vault_session"][:2]
        assert first == ["WARNING", "ERROR"]
        (told, *_) = [record for record in caplog.records if record.msg == "vault.unwell"]
        assert vars(told)["why"] == "Vault fails inside (500)"
        assert vars(told)["remedy"] == "See Vault's log: often no audit device can write."
        assert 0 < vars(told)["ends_in_s"] <= 2_764_800
        assert await text_of(keys) == TEXT


async def test_secret_id_that_is_refused_is_not_shown_again_until_it_is_another(rig: Rig):
    """Vault locks a role out after five refusals, also for a better secret_id."""
    access = rig.access("00000000-0000-0000-0000-000000000000")
    async with opened(access) as keys:
        for _ in range(20):
            await refusal(keys)
        error = await refusal(keys)
        assert error.remedy.endswith(
            "It is tried again 60 s later; a new one, or a restart, at once."
        )
        assert asked(rig, "/login") == 1
        access.text = rig.secret_id()
        assert await text_of(keys) == TEXT
        assert asked(rig, "/login") == 2


async def test_only_an_approle_is_held_for_longer_each_time(rig: Rig):
    """Vault locks out nobody else, and a Kubernetes that is ill refuses everybody."""
    limits = replace(FAST, session=replace(FAST.session, holds_s=(0.0, 60.0)))
    async with opened(rig.access("00000000-0000-0000-0000-000000000000"), limits) as keys:
        for _ in range(5):
            await refusal(keys)
        assert asked(rig, "approle-" + rig.mark + "/login") == 2
    jwt = made_jwt(rig.fake.state, audience="other")
    async with opened(rig.access(jwt, auth="jwt", auth_mount="", role="bot"), limits) as keys:
        for _ in range(5):
            await refusal(keys)
        assert asked(rig, "auth/jwt/login") >= 5


async def test_credential_that_cannot_be_read_is_said_as_the_config_says_it(rig: Rig):
    access = rig.access()

    def missing():
        raise ConfigError(user_message="keys.vault.secret_id: no such file.", remedy="Make it.")

    access.credential = missing  # type: ignore[method-assign]
    async with opened(access) as keys:
        error = await refusal(keys)
    assert error.user_message == "keys.vault.secret_id: no such file"
    assert error.remedy == "Make it."
    assert not error.retryable


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "smörgåsbord", ""])
async def test_credential_that_no_header_can_carry_is_refused_unseen(rig: Rig, text: str):
    access = rig.access("x")
    access.text = text
    async with opened(access) as keys:
        error = await refusal(keys)
    assert "our credential for Vault is empty, or holds blanks" in error.user_message
    assert text not in str(error) or not text
    assert asked(rig, "/login") == 0


@pytest.mark.parametrize(
    ("facts", "retryable", "why"),
    [
        ({}, None, ""),
        ({"role": "none"}, False, "Vault refuses our login by jwt at auth/jwt (400)"),
        ({"audience": "other"}, False, "Vault refuses our login by jwt at auth/jwt (400)"),
        ({"lives_s": -60}, False, "Vault refuses our login by jwt at auth/jwt (400)"),
        ({"forged": True}, False, "Vault refuses our login by jwt at auth/jwt (400)"),
    ],
    ids=["good", "no such role", "wrong audience", "expired", "forged"],
)
async def test_jwt_logs_in_and_each_refusal_is_told(
    rig: Rig, facts: dict[str, Any], retryable, why: str
):
    role, forged = facts.pop("role", "bot"), facts.pop("forged", False)
    jwt = made_jwt(rig.fake.state, **facts)
    rig.fake.state.roles["jwt/bot"]["token_policies"] = [rig.mark]
    if forged:
        jwt = f"{jwt.rpartition('.')[0]}.{b64_bytes(b'0' * 64)}"
    async with opened(rig.access(jwt, auth="jwt", auth_mount="", role=role)) as keys:
        if not why:
            assert await text_of(keys) == TEXT
            return
        error = await refusal(keys)
    assert why in error.user_message
    assert "audience and expiry of keys.vault.jwt_file" in error.remedy
    assert error.retryable is retryable


@pytest.mark.parametrize(
    ("account", "is_audit_full", "retryable", "why"),
    [
        ("cancelall-bot", False, None, ""),
        ("other", False, False, "Vault refuses our login by kubernetes at auth/kubernetes (500)"),
        ("", False, False, "Vault refuses our login by kubernetes at auth/kubernetes (403)"),
        ("cancelall-bot", True, True, "Vault fails inside (500)"),
    ],
    ids=["good", "another account", "not reviewed", "audit log full"],
)
async def test_kubernetes_logs_in_and_its_500_is_told_from_vaults(
    account: str, is_audit_full, retryable, why: str
):
    """Older plugins say no by 500: that must not wake the fallback."""
    with rig_on(VAULT) as rig:
        rig.allow(PATH)
        rig.write(PATH, {"api_key": "k"})
        access = rig.access("jwt", auth="kubernetes", auth_mount="", role="bot")
        state = rig.fake.state
        state.auths["kubernetes"] = "kubernetes"
        state.service_accounts = {"jwt": account} if account else {}
        state.roles["kubernetes/bot"] = {
            "token_policies": [rig.mark],
            "bound_service_account_names": ["cancelall-bot"],
        }
        state.is_audit_full = is_audit_full
        async with opened(access) as keys:
            if not why:
                assert await text_of(keys) == TEXT
                return
            error = await refusal(keys)
    assert why in error.user_message
    assert error.retryable is retryable


def held(keys: VaultKeys) -> str:
    """Return the token that is held now."""
    session = keys._sessions._session
    return session.grant.token.get_secret_value() if session is not None else ""


def whys(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why the upkeep of the token failed, each time."""
    return [vars(record)["why"] for record in caplog.records if record.msg == "vault.faltered"]


async def test_operators_token_that_cannot_be_renewed_is_told_in_time(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    created = rig.admin.auth.token.create(policies=[rig.mark], ttl="1h", renewable=False)
    access = rig.access(created["auth"]["client_token"], auth="token", token=SECRET_AT)
    async with opened(access) as keys:
        await entered(keys)
        make_due(keys)
        await until(lambda: whys(caplog) != [])
        assert whys(caplog)[0].startswith("our token for Vault ends in 3")
        another = rig.admin.auth.token.create(policies=[rig.mark], ttl="1h")
        access.text = another["auth"]["client_token"]
        make_due(keys)
        await until(lambda: held(keys) == access.text)


async def test_token_that_may_not_ask_what_it_may_is_told_with_the_policy_line(rig: Rig):
    path = f"{rig.mount}/data/{PATH}"
    rig.fake.state.policies[rig.mark] = {path: {"read"}, "auth/token/lookup-self": {"read"}}
    async with opened(rig.access()) as keys:
        found = await keys.unreadable([PATH])
    assert found[PATH].user_message.endswith("Vault does not let us ask what we may read")
    line = 'path "sys/capabilities-self" { capabilities = ["update"] }'
    assert found[PATH].remedy == f"Add to the policy: {line}."


async def test_token_that_may_do_more_than_read_is_warned_of(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    path = f"{rig.mount}/data/{PATH}"
    rig.fake.state.policies[rig.mark][path] = {"read", "update", "sudo"}
    async with opened(rig.access()) as keys:
        assert await keys.unreadable([PATH]) == {}
        assert await keys.unreadable([PATH]) == {}, "and it is told once"
    (told,) = [record for record in caplog.records if record.msg == "token.overpowered"]
    assert (vars(told)["path"], vars(told)["may"]) == (path, ["sudo", "update"])


async def test_answer_to_unwrapping_that_is_lost_is_not_asked_for_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    wrapping = rig.wrapped_secret_id()
    rig.fake.faults[:] = [Fault(kind="cut", path="wrapping/unwrap")]
    access = rig.access(wrapping, role="bot", wrapped_secret_id=SECRET_AT)
    at_once = replace(FAST, session=replace(FAST.session, holds_s=(0.0,)))
    async with opened(access, at_once) as keys:
        error = await refusal(keys)
        assert (await refusal(keys)).user_message == error.user_message
    assert "wrapping.distrusted" not in caplog.messages, "we opened it ourselves"
    assert "the answer to opening our wrapping token was lost" in error.user_message
    assert not error.retryable
    assert asked(rig, "wrapping/unwrap") == 1


async def test_wrapping_token_waits_for_a_vault_that_is_sealed(rig: Rig):
    wrapping = rig.wrapped_secret_id()
    access = rig.access(wrapping, role="bot", wrapped_secret_id=SECRET_AT)
    rig.fake.state.is_sealed = True
    async with opened(access) as keys:
        assert (await refusal(keys)).retryable
        rig.fake.state.is_sealed = False
        assert await text_of(keys) == TEXT


async def test_bug_in_the_upkeep_is_logged_and_ends_nothing(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    access = rig.access()
    text, access.text = access.text, None  # type: ignore[assignment]
    async with opened(access) as keys:
        error = await refusal(keys)
        assert "our own part fails at Vault" in error.user_message
        assert error.retryable
        assert "vault.failed" in caplog.messages
        access.text = text
        assert await text_of(keys) == TEXT


async def test_end_waits_no_longer_than_it_must_for_a_vault_that_hangs(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    async with opened(rig.access()) as keys:
        await entered(keys)
        rig.fake.faults[:] = [Fault(kind="hang", path="revoke-self")]
    assert "token.left" in caplog.messages


async def test_generation_that_is_newer_is_taken_without_a_login(rig: Rig):
    async with opened(rig.access()) as keys:
        first = await keys._sessions.current()
        assert isinstance(first, Session)
        again = await keys._sessions.current(after=0)
        assert again is first
        newer = await keys._sessions.current(after=first.generation)
        assert not isinstance(newer, Trouble)
        assert newer.generation == 2
        assert await keys._sessions.current(after=first.generation) is newer


async def test_policy_that_is_gone_is_no_storm_of_logins(rig: Rig):
    """Then no token may look itself up, and each seems dead: readiness asks every 3 s."""
    async with opened(rig.access()) as keys:
        await entered(keys)
        rig.admin.sys.create_or_update_policy(rig.mark, "")
        rig.fake.asked.clear()
        for _ in range(20):
            await keys.unreadable([PATH])
        assert asked(rig, "/login") == 1
        rig.allow(PATH)
        assert await keys.unreadable([PATH]) == {}


async def test_renewal_that_grants_nothing_is_no_token_that_never_ends(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    """Max TTL is here, and logins fail: upkeep must go on trying."""
    rig.role(token_ttl="60s", token_max_ttl="60s")
    async with opened(rig.access()) as keys:
        rig.allow(PATH)
        token = await entered(keys)
        rig.fake.state.tokens[token].created -= 59.8
        rig.fake.faults[:] = [Fault(kind="status", status=500, body={"errors": []}, path="/login")]
        make_due(keys)
        await until(lambda: whys(caplog) != [])
        assert whys(caplog)[0] == "Vault fails inside (500)"
        rig.fake.faults.clear()
        await until(lambda: held(keys) not in {"", token})
        assert await text_of(keys) == TEXT
