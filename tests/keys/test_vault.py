"""Keys from Vault: what is read, what is refused, how we log in. On every server there is."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import requests

from bot.domain.errors import SecretError
from bot.flow.ports import KeySource
from bot.keys.vault import VaultKeys
from tests.keys.vault_rig import DOCUMENT, SECRET_AT, SERVERS, Rig, entered, opened, rig_on

PATH = "venues/bybit-mm"


@pytest.fixture(params=SERVERS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with rig_on(request.param) as rig:
        rig.allow(PATH)
        rig.write(PATH, DOCUMENT)
        yield rig


async def refusal(keys: VaultKeys, path: str = PATH) -> SecretError:
    with pytest.raises(SecretError) as caught:
        await keys.read(path)
    return caught.value


async def test_document_is_read_as_json_text_with_all_its_types(rig: Rig):
    async with opened(rig.access()) as keys:
        source: KeySource = keys
        document = await source.read(PATH)
    assert json.loads(document.text.get_secret_value()) == DOCUMENT
    assert document.note == ""


async def test_each_read_logs_the_version_and_the_id_in_vaults_audit_log(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    rig.write(PATH, {"api_key": "rotated"})
    async with opened(rig.access()) as keys:
        await keys.read(PATH)
    (line,) = [record for record in caplog.records if record.msg == "key.version"]
    assert vars(line)["version"] == 2
    assert vars(line)["path"] == f"{rig.mount}/data/{PATH}"
    assert len(vars(line)["vault_request_id"]) == 36


async def test_denied_path_is_said_at_once_with_the_missing_policy_line(rig: Rig):
    rig.write("venues/other", DOCUMENT)
    async with opened(rig.access()) as keys:
        error = await refusal(keys, "venues/other")
    assert error.user_message == f"Vault denies {rig.mount}/data/venues/other"
    line = f'path "{rig.mount}/data/venues/other" {{ capabilities = ["read"] }}'
    assert error.remedy == f"Add to the policy: {line}; or mend keys.vault.mount."
    assert not error.retryable


async def test_missing_path_is_said_at_once_with_the_command_that_writes_it(rig: Rig):
    rig.allow(PATH, "venues/none")
    async with opened(rig.access()) as keys:
        error = await refusal(keys, "venues/none")
    assert error.user_message == f"no secret at {rig.mount}/data/venues/none in Vault"
    assert error.remedy.startswith(
        f"Write it: vault kv put -mount={rig.mount} venues/none @key.json"
    )
    assert f'path "{rig.mount}/data/venues/none" {{ capabilities = ["read"] }}' in error.remedy
    assert not error.retryable


async def test_mount_that_is_none_is_denied_by_name(rig: Rig):
    async with opened(rig.access(mount="nowhere")) as keys:
        error = await refusal(keys)
    assert error.user_message == f"Vault denies nowhere/data/{PATH}"
    assert error.remedy.endswith("or mend keys.vault.mount.")


@pytest.mark.parametrize(
    ("spoil", "why", "remedy"),
    [
        ("delete", "was deleted in Vault", "vault kv undelete -mount={mount} -versions=1 "),
        ("destroy", "was destroyed in Vault", "Write a new one: vault kv put -mount={mount} "),
    ],
)
async def test_version_that_is_no_more_is_named(rig: Rig, spoil: str, why: str, remedy: str):
    kv = rig.admin.secrets.kv.v2
    spoiling = kv.delete_secret_versions if spoil == "delete" else kv.destroy_secret_versions
    spoiling(PATH, versions=[1], mount_point=rig.mount)
    async with opened(rig.access()) as keys:
        error = await refusal(keys)
    assert error.user_message == f"version 1 of {rig.mount}/data/{PATH} {why}"
    assert error.remedy.startswith(remedy.format(mount=rig.mount))
    assert not error.retryable


async def test_what_may_be_read_is_told_without_reading(rig: Rig):
    """Nothing is at `venues/none`: that cannot be told without reading."""
    rig.allow(PATH, "venues/none")
    async with opened(rig.access()) as keys:
        found = await keys.unreadable([PATH, "venues/none", "venues/other"])
        assert await keys.unreadable([]) == {}
    assert list(found) == ["venues/other"]
    assert found["venues/other"].user_message == f"Vault denies {rig.mount}/data/venues/other"
    if rig.fake is not None:
        assert not [path for path in rig.fake.paths() if path.startswith("GET kv-")]


async def test_policy_as_printed_is_enough_and_no_more(rig: Rig):
    """The role has no default policy: what the bot does with its own token is in ours."""
    async with opened(rig.access()) as keys:
        await keys.read(PATH)
        assert await keys.unreadable([PATH]) == {}
        token = await entered(keys)
        assert keys._sessions._session is not None
        await keys._sessions._renew(keys._sessions._session)
        assert await entered(keys) == token, "it was renewed, not replaced"
        with rig.as_owner(token) as client:
            for method, path in [
                ("LIST", f"{rig.mount}/metadata/venues"),
                ("GET", f"{rig.mount}/metadata/{PATH}"),
                ("POST", f"{rig.mount}/data/{PATH}"),
                ("GET", "sys/mounts"),
            ]:
                found = client.adapter.request(method, f"v1/{path}", raise_exception=False)
                assert isinstance(found, requests.Response)
                assert found.status_code == 403, path
    assert rig.is_dead(token), "revoked in the end"


async def test_token_that_dies_is_replaced_once_for_all_who_read(rig: Rig):
    for number in range(20):
        rig.write(f"venues/{number}", {"number": number})
    rig.allow(*(f"venues/{number}" for number in range(20)))
    async with opened(rig.access()) as keys:
        await keys.read("venues/0")
        before = await entered(keys)
        rig.admin.auth.token.revoke(before)
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(keys.read(f"venues/{number}")) for number in range(20)]
        assert keys._sessions._generation == 2, "one login"
        assert await entered(keys) != before
    texts = [read.result().text.get_secret_value() for read in reads]
    assert texts == [f'{{"number": {number}}}' for number in range(20)]


async def test_permission_that_comes_later_is_found_without_a_restart(rig: Rig):
    rig.write("venues/late", {"k": "v"})
    async with opened(rig.access()) as keys:
        assert not (await refusal(keys, "venues/late")).retryable
        rig.allow("venues/late")
        assert (await keys.read("venues/late")).text.get_secret_value() == '{"k": "v"}'


async def test_login_that_vault_refuses_is_no_outage_and_says_what_to_check(rig: Rig):
    async with opened(rig.access("00000000-0000-0000-0000-000000000000")) as keys:
        error = await refusal(keys)
        unreadable = await keys.unreadable([PATH])
    assert error.user_message == (
        f"Vault refuses our login by approle at auth/{rig.auth_mount} (400)"
    )
    assert error.remedy.startswith("Check role_id and secret_id: expired, used up, ")
    assert not error.retryable
    assert unreadable[PATH].user_message == error.user_message


async def test_wrapped_secret_id_is_opened_once_and_serves_later_logins(rig: Rig):
    access = rig.access(rig.wrapped_secret_id(), role="bot", wrapped_secret_id=SECRET_AT)
    async with opened(access) as keys:
        await keys.read(PATH)
        rig.admin.auth.token.revoke(await entered(keys))
        await keys.read(PATH)
        assert keys._sessions._generation == 2
    if rig.fake is not None:
        assert rig.fake.paths().count("POST sys/wrapping/unwrap") == 1


async def test_wrapping_token_that_somebody_else_opened_raises_an_alarm_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
):
    wrapping = rig.wrapped_secret_id()
    assert rig.unwrapped(wrapping)
    access = rig.access(wrapping, role="bot", wrapped_secret_id=SECRET_AT)
    async with opened(access) as keys:
        error = await refusal(keys)
        await refusal(keys)
        alarms = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert [record.msg for record in alarms] == ["wrapping.distrusted"]
        assert "ALARM: the wrapping token of our secret_id was opened by somebody else" in (
            error.user_message
        )
        assert not error.retryable
        access.text = rig.wrapped_secret_id()
        await keys.read(PATH)


async def test_wrapping_token_of_another_maker_is_not_opened(rig: Rig):
    """Somebody who swaps it would have us use a role of theirs."""
    rig.admin.auth.approle.create_or_update_approle(
        "evil", mount_point=rig.auth_mount, token_policies=[rig.mark]
    )
    wrapping = rig.wrapped_secret_id("evil")
    access = rig.access(wrapping, role="bot", wrapped_secret_id=SECRET_AT)
    async with opened(access) as keys:
        error = await refusal(keys)
    assert f"was not made by auth/{rig.auth_mount}/role/bot/secret-id" in error.user_message
    assert rig.unwrapped(wrapping), "it is whole: we left it alone"


async def test_token_of_an_operator_is_used_and_not_revoked(rig: Rig):
    created = rig.admin.auth.token.create(policies=[rig.mark], ttl="1h")
    token = created["auth"]["client_token"]
    access = rig.access(token, auth="token", token=SECRET_AT)
    async with opened(access) as keys:
        await keys.read(PATH)
    assert not rig.is_dead(token)


async def test_root_token_is_refused(rig: Rig):
    async with opened(rig.access(rig.root, auth="token", token=SECRET_AT)) as keys:
        error = await refusal(keys)
    assert "our token is a root token of Vault" in error.user_message
    assert "`cancelall vault policy`" in error.remedy
    assert not error.retryable


@pytest.mark.parametrize("facts", [{"auth_mount": "auth/approle"}, {"namespace": "nosuch"}])
async def test_login_that_is_not_there_names_the_settings_that_say_where(
    rig: Rig, facts: dict[str, str]
):
    async with opened(rig.access(**facts)) as keys:
        error = await refusal(keys)
    (name,) = facts
    assert name in error.remedy
