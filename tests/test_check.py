"""`cancelall check`: what it prints of a desk that is ready, and of one that is wrong."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import check, console, demo
from bot.checks import everything
from bot.domain.event import EventKind
from bot.domain.limits import Limits
from bot.keys import sealed
from bot.sandbox import world as worlds
from bot.sandbox.slack import faults
from bot.sandbox.vault import server as vaults
from bot.sandbox.vault import tokens
from bot.sandbox.vault.policies import parse_policy
from bot.sandbox.vault.state import VaultState
from bot.sandbox.venues.bybit import PERMISSIONS
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.world import ALICE, BOB, CAROL, INCIDENT, RISK, TRADERS
from bot.store import engine
from bot.store.checks import CHECK
from tests.fakes import desk as desks
from tests.fakes.desk import Product

ROOT = Path(__file__).parents[1]
Spoil = Callable[[Product], object]
KEYS_UNREAD = "Keys that can cancel were not read: cancelall check --keys does that, on the record."
KEYS_READ = "What was read is on record: serve takes it into the chain of events."
NOT_LISTED = (
    "Bybit lists sub-accounts only to a master account's key that may transfer or withdraw, which "
    "this one should not: compare the config with its sub-account page by hand"
)
SECRETS = ("sandbox-mm-secret", "SANDBOXMM", "xoxb-", "sandbox-signing", worlds.PASSPHRASE)


@pytest.fixture(autouse=True)
def _without_core_dumps() -> Iterator[None]:
    """Do for this process what the command does before it checks, and take it back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def made_ready(product: Product) -> None:
    """Write a desk of which a check has little to say; whoever runs the tests may pull."""
    demo.set_up(product.world, product.folder)
    product.slack.set_members(TRADERS, [ALICE])
    product.slack.set_members(RISK, [BOB, CAROL])
    incident = product.slack.channel(INCIDENT)
    assert incident is not None
    product.slack.put_channel(replace(incident, is_ext_shared=False))
    edit(product, "ask =", 'break_glass = ["heads"]\nask =', file="policy.toml")
    add(product, f'\n[roles.heads]\nusers = ["{ALICE}"]\n', file="policy.toml")
    add(product, f'\n[console]\npeople = {{ "{console.user()}" = "{ALICE}" }}\n')
    for name, key in product.venue.keys.items():
        product.venue.keys[name] = replace(key, ips=("127.0.0.1",))


def edit(product: Product, old: str, new: str, *, file: str = "config.toml") -> None:
    path = product.folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def add(product: Product, text: str, *, file: str = "config.toml") -> None:
    with (product.folder / file).open("a") as out:
        out.write(text)


async def checked(
    product: Product, *, with_keys: bool = False, limit_s: float = 10.0
) -> tuple[int, list[str]]:
    """Check; whatever it says, it has sent no cancel and shown no secret."""
    said: list[str] = []
    path = product.folder / "config.toml"
    code = await check.check(path, said.append, with_keys=with_keys, limit_s=limit_s)
    assert not [seen.path for seen in product.venue.log if seen.method != "GET"]
    assert not [secret for secret in SECRETS if secret in "\n".join(said)]
    return code, said


def are_keys_read(product: Product) -> bool:
    """Tell whether a key that can cancel was used: of bybit-opt there is no other."""
    return any(seen.uid == "1003" for seen in product.venue.log)


async def test_a_desk_that_is_ready_is_told_line_by_line(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        code, said = await checked(product)
    said = [line for line in said if " ms, " not in line and "core dumps" not in line]
    fine = [line for line in said if line.startswith("fine")]
    assert code == 0
    assert said[:3] == [
        f"warning  account  bybit-arb, bybit-mm: read key: {NOT_LISTED}.",
        (
            "unknown  account  bybit-opt: no read_key: how many orders are open is unknown before "
            "a run. Add one if the venue has keys that only read."
        ),
        (
            "unknown  policy   user groups: whoever may edit S0RISK, S0TRADERS decides who "
            "approves, and Slack does not tell who may; by default owners and admins. Look in "
            "Slack: Admin, Workspace settings, Roles & permissions, user groups."
        ),
    ]
    assert fine == [
        "fine     config   3 accounts at 1 venue, 1 rule.",
        f"fine     host     {tmp_path}/state: it can be written, and its disk has room.",
        f"fine     store    {tmp_path}/cancelall.db is made at the first start.",
        "fine     keys     sealed: 5 paths may be read.",
        (
            "fine     account  bybit-arb, bybit-mm: the read key is of this account, bound to "
            "127.0.0.1."
        ),
        "fine     policy   all: 2 people suffice at least (alice asks, bob approves).",
        f"fine     policy   break glass: {console.user()} may pull on this host.",
        "fine     policy   rule prod: alice may ask, and others can approve.",
        "fine     slack    bot token: it is U0CANCELALL of T0HOME, with the scopes it needs.",
        "fine     slack    channel C0INCIDENT: #incident takes cards.",
    ]
    assert said[-2].endswith(" fine: nothing is known to be wrong.")
    assert said[-1] == KEYS_UNREAD
    assert not are_keys_read(product)


def unsealed(product: Product) -> None:
    edit(product, 'key = "venues/bybit-mm"\n', 'key = "venues/bybit-m"\n')


def resealed(name: str, document: dict[str, object]) -> Spoil:
    def spoil(product: Product) -> None:
        text = SecretStr(json.dumps(document))
        passphrase = SecretStr(worlds.PASSPHRASE)
        path = product.folder / "keys.sealed"
        sealed.seal(path, f"venues/{name}", text, passphrase, cost=sealed.CHEAP)

    return spoil


def banned(product: Product) -> None:
    product.venue.door.is_on = True
    product.venue.door.banned_until["127.0.0.1"] = time.time() + 600


def late(seconds: float) -> Spoil:
    return lambda product: setattr(product.venue, "skew_s", seconds)


def key_of(name: str, **facts: object) -> Spoil:
    def spoil(product: Product) -> None:
        keys = product.venue.keys
        keys[name] = replace(keys[name], **facts)  # type: ignore[arg-type]

    return spoil


def unwritable(product: Product) -> None:
    (product.folder / "state").write_text("in the way")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda p: add(p, "\n[store2]\n"),
            (
                'wrong    config   config.toml: config.toml has an unknown key "store2". '
                "Did you mean store?"
            ),
        ),
        (
            lambda p: (p.folder / "slack.token").unlink(),
            (
                "wrong    config   config.toml: slack.bot_token: the file that it names cannot be "
                "read: No such file or directory. Check the path in slack.bot_token."
            ),
        ),
        (
            lambda p: (p.folder / "passphrase").write_text("another"),
            (
                "wrong    keys     sealed: the sealed file does not open: wrong passphrase, or "
                "it was "
                "tampered with. Check the passphrase; else restore the file from a copy."
            ),
        ),
        (
            unsealed,
            (
                "wrong    keys     bybit-mm, key: no secret at venues/bybit-m in keys.sealed. "
                "Seal it: cancelall keys seal venues/bybit-m. Did you mean venues/bybit-mm?"
            ),
        ),
        (
            unwritable,
            (
                "wrong    host     state: The folder {folder}/state cannot be made: File exists. "
                "Point dir under [state] at a folder that this user may write."
            ),
        ),
        (
            lambda p: edit(p, 'url = "sqlite', 'url = "mysql'),
            (
                "wrong    store    The store's URL does not name an SQLite file. "
                'Write url = "sqlite:///cancelall.db" under [store].'
            ),
        ),
        (
            late(1.3),
            "fine     venue    bybit: answers in",
        ),
        (
            late(2.9),
            (
                "warning  venue    bybit: our clock is 2.9 s behind the venue's, and it allows 5 "
                "s. "
                "See that NTP keeps the clock of this host."
            ),
        ),
        (
            late(-1.4),
            (
                "wrong    venue    bybit: our clock is 1.4 s ahead of the venue's, and it allows "
                "1 s: "
                "it would refuse every call. Mend the clock of this host: NTP."
            ),
        ),
        (
            lambda p: p.venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/market/time")),
            "wrong    venue    bybit: Bybit's server failed.",
        ),
        (banned, "wrong    venue    bybit: BANNED until "),
        (
            key_of("SANDBOXMM0001RO", is_read_only=False),
            (
                "warning  account  bybit-mm: the read key may cancel, not only read. "
                "Store one that may only read, or leave read_key out."
            ),
        ),
        (
            key_of("SANDBOXMM0001RO", uid="777"),
            (
                "wrong    account  bybit-mm: the read key is of 777, and the config says 1001. "
                "Mend uid, or store the key of this account."
            ),
        ),
        (
            lambda p: p.venue.keys.pop("SANDBOXMM0001RO"),
            (
                "wrong    account  bybit-mm: read key: the key is not valid here. "
                "Check the key and that it belongs to this environment."
            ),
        ),
        (
            lambda p: p.world.traffic.add("auth.test", faults.refused("account_inactive")),
            (
                "wrong    slack    bot token: Slack refuses the bot token (account_inactive). "
                "Install the app again and store its Bot User OAuth Token."
            ),
        ),
        (
            lambda p: add(p, '\n[web2]\nhost = "0.0.0.0"\n'.replace("web2", "x")),
            'wrong    config   config.toml: config.toml has an unknown key "x".',
        ),
        (
            lambda p: edit(p, "port = 0", 'port = 0\nhost = "0.0.0.0"'),
            (
                "warning  config   whoever reaches 0.0.0.0 port 0 reads health and metrics. "
                'Write host = "127.0.0.1" under [web], or let a firewall keep others out.'
            ),
        ),
        (
            lambda p: edit(
                p, 'tags = { env = "prod" }', 'classes_off = ["rfq"]\ntags = { env = "prod" }'
            ),
            (
                "warning  config   bybit-mm: not covered: rfq. "
                "Take them out of classes_off, unless that is meant."
            ),
        ),
    ],
    ids=[
        *("unknown key", "no token file", "passphrase", "not sealed", "state dir", "store url"),
        *("clock a bit late", "clock late", "clock ahead", "venue fails", "banned"),
        *("read key may cancel", "read key of another", "read key refused", "token revoked"),
        *("unknown table", "open to all", "class off"),
    ],
)
async def test_what_is_wrong_is_a_line_with_its_remedy(tmp_path: Path, spoil: Spoil, said: str):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        spoil(product)
        code, lines = await checked(product)
    wanted = said.format(folder=tmp_path)
    assert [line for line in lines if line.startswith(wanted)], "\n".join(lines)
    assert code == (78 if said.startswith("wrong") else 0)


async def test_without_slacks_token_all_else_is_looked_at_still(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        (tmp_path / "slack.token").unlink()
        code, said = await checked(product)
    assert code == 78
    assert any(line.startswith("fine     venue    bybit: answers") for line in said)
    assert not any(" slack " in line for line in said[1:])


READY_KEYS = (
    "fine     account  bybit-arb, bybit-mm, bybit-opt: the key is of this account and may cancel, "
    "bound to 127.0.0.1."
)
STORE = (
    "Store an API key of that very account that may trade and nothing else, bound to the "
    "addresses of this machine."
)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: None, READY_KEYS),
        (
            key_of("SANDBOXMM0001", uid="1002"),
            (
                "wrong    account  bybit-mm: the key is of 1002, and the config says 1001. "
                "Mend uid, or store the key of this account."
            ),
        ),
        (
            key_of("SANDBOXMM0001", is_read_only=True),
            f"wrong    account  bybit-mm: the key cannot cancel. {STORE}",
        ),
        (
            key_of("SANDBOXMM0001", permissions={**PERMISSIONS, "Wallet": ["Withdraw"]}),
            (
                "warning  account  bybit-mm: the key may withdraw: replace it by one that may only "
                "trade."
            ),
        ),
        (
            key_of("SANDBOXMM0001", ips=(), expires="2020-01-02T00:00:00Z"),
            f"wrong    account  bybit-mm: the key expired on 2020-01-02. {STORE}",
        ),
        (
            key_of("SANDBOXMM0001", ips=()),
            (
                "warning  account  bybit-mm: the key is not bound to an address and expires 90 "
                "days "
                "after it was made."
            ),
        ),
        (
            resealed("bybit-mm", {"api_key": "SANDBOXMM0001"}),
            "wrong    account  bybit-mm: key: ",
        ),
        (
            resealed(
                "bybit-arb", {"api_key": "SANDBOXMM0001", "api_secret": "sandbox-mm-secret-0001"}
            ),
            (
                "warning  keys     bybit: venues/bybit-arb, venues/bybit-mm hold one and the "
                "same key. "
                "Name it alike in every account: else their nonces and budgets clash."
            ),
        ),
    ],
    ids=[
        *("good", "of another", "read-only", "may withdraw", "expired", "not bound"),
        *("no document of the venue", "held twice"),
    ],
)
async def test_keys_that_can_cancel_are_read_once_that_is_recorded(
    tmp_path: Path, spoil: Spoil, said: str
):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        spoil(product)
        code, lines = await checked(product, with_keys=True)
        assert are_keys_read(product)
    assert [line for line in lines if line.startswith(said)], "\n".join(lines)
    assert code == (78 if lines[0].startswith("wrong") else 0)
    assert lines[-1] == KEYS_READ
    assert len(list((tmp_path / "state" / "pulls").glob("*.check"))) == 1


async def test_accounts_that_the_venue_lists_and_the_config_lacks_are_told(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        wallet = {**PERMISSIONS, "Wallet": ["SubMemberTransfer"]}
        key_of("SANDBOXMM0001", permissions=wallet)(product)
        product.venue.members["1001"] = ("1002", "777", "778")
        _, said = await checked(product, with_keys=True)
    assert (
        "warning  account  bybit: 2 accounts there that the config lacks: 777, 778. "
        "Add those that trade: nothing here cancels their orders."
    ) in said


async def test_without_a_record_no_key_that_can_cancel_is_read(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "pulls").write_text("in the way")
        code, said = await checked(product, with_keys=True)
        assert not are_keys_read(product)
    assert code == 78
    assert (
        f"wrong    keys     --keys: No record of this check can be written to {tmp_path}/state/"
        "pulls: File exists, so no key that can cancel is read. Point dir under [state] at a "
        "folder that this user may write."
    ) in said
    assert said[-1] == KEYS_UNREAD


async def test_serve_takes_the_record_of_a_check_into_the_chain_once(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        await checked(product, with_keys=True)
    folder = tmp_path / "state" / "pulls"
    (path,) = folder.glob("*.check")
    copy = path.read_bytes()
    async with engine.open_store(f"sqlite:///{tmp_path}/cancelall.db") as store:
        for _ in range(2):
            path.write_bytes(copy)
            await store.checks.take_up(folder)
        (event,) = await store.trail.events(CHECK)
        assert await store.trail.first_break() is None
    assert event.kind is EventKind.KEYS_CHECKED
    assert event.facts["user"] == console.user()
    assert event.facts["accounts"] == ["bybit-mm", "bybit-arb", "bybit-opt"]
    assert [each.name for each in folder.iterdir()] == [f"{path.name}.recorded"]


async def test_a_record_that_cannot_be_read_is_kept_and_not_called_recorded(tmp_path: Path):
    (tmp_path / "x.check").write_text("{\n")
    async with engine.open_store(f"sqlite:///{tmp_path}/cancelall.db") as store:
        await store.checks.take_up(tmp_path)
        assert await store.trail.events(CHECK) == ()
    assert (tmp_path / "x.check.unreadable").read_text() == "{\n"


async def test_a_store_in_use_is_looked_at_beside_its_server(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        async with engine.open_store(f"sqlite:///{tmp_path}/cancelall.db"):
            code, said = await checked(product)
    line = "fine     store    every event follows from the one before it, in use by serve."
    assert (code, line in said) == (0, True)


async def test_a_chain_that_was_changed_is_told(tmp_path: Path):
    async with desks.open_product(tmp_path) as product:
        await product.type(ALICE, "all")
        await product.card()
    with sqlite3.connect(tmp_path / "cancelall.db") as database:
        database.execute("UPDATE events SET body = replace(body, 'bybit-mm', 'bybit-xx')")
    async with desks.open_surroundings(tmp_path) as other:
        demo.set_up(other.world, other.folder)
        code, said = await checked(other)
    assert code == 78
    assert (
        "wrong    store    event 1 does not follow from the one before it: somebody has changed "
        "what is recorded. Keep a copy of the file, and find out who had access to it."
    ) in said


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: p.write_text("no database, and long enough to be read as one" * 30), "file is"),
        (
            lambda p: sqlite3.connect(p).executescript(
                "CREATE TABLE alembic_version (version_num TEXT);"
                "INSERT INTO alembic_version VALUES ('0999');"
            ),
            "a newer version of cancelall made it. ",
        ),
    ],
    ids=["no database", "newer"],
)
async def test_a_store_that_serve_could_not_open_is_wrong(
    tmp_path: Path, spoil: Callable[[Path], object], why: str
):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        spoil(tmp_path / "cancelall.db")
        before = (tmp_path / "cancelall.db").read_bytes()
        code, said = await checked(product)
    (line,) = [each for each in said if each.startswith("wrong")]
    assert code == 78
    assert line.startswith(f"wrong    store    {tmp_path}/cancelall.db cannot be used: ")
    assert why in line
    assert line.endswith(
        "Mend url under [store], or the file and its folder: serve does not start so."
    )
    assert (tmp_path / "cancelall.db").read_bytes() == before


def into_vault(product: Product, url: str, token: str, *, fallback: str = "") -> None:
    """Write the config that has its keys in Vault."""
    (product.folder / "vault.token").write_text(token)
    (product.folder / "vault.token").chmod(0o600)
    edit(product, 'source = "sealed"', f'source = "vault"{fallback}')
    edit(
        product,
        "[store]",
        f'[keys.vault]\naddress = "{url}"\nauth = "token"\n'
        'token = { file = "vault.token" }\n\n[store]',
    )


ALLOWED = {
    "auth/token/lookup-self": "read",
    "auth/token/renew-self": "update",
    "sys/capabilities-self": "update",
    "secret/data/venues/bybit-arb": "read",
    "secret/data/venues/bybit-mm-ro": "read",
    "secret/data/venues/bybit-arb-ro": "read",
}
FALLBACK = '\nfallback = "sealed"'


async def test_vault_is_asked_for_each_path_and_the_fallback_for_its_names(tmp_path: Path):
    state = VaultState()
    state.mounts.add("secret")
    lines = [f'path "{path}" {{ capabilities = ["{may}"] }}' for path, may in ALLOWED.items()]
    state.policies["bot"] = parse_policy("\n".join(lines))
    token = tokens.add_token(
        state, policies=["bot"], ttl=3600, path="auth/token/create", name="bot"
    )
    with vaults.running(state) as vault:
        async with desks.open_surroundings(tmp_path) as product:
            made_ready(product)
            into_vault(product, vault.url, token.id, fallback=FALLBACK)
            edit(product, 'key = "venues/bybit-mm"', 'key = "venues/bybit-m"')
            code, said = await checked(product)
    assert code == 78
    assert [line for line in said if "  keys     " in line] == [
        (
            "wrong    keys     bybit-arb, read key: no secret at secret/data/venues/bybit-arb-ro "
            "in Vault. Write it: vault kv put -mount=secret venues/bybit-arb-ro @key.json (a KV v2 "
            'engine; the policy needs path "secret/data/venues/bybit-arb-ro" { capabilities = '
            '["read"] }).'
        ),
        (
            "wrong    keys     bybit-mm, key: Vault denies secret/data/venues/bybit-m. Add to the "
            'policy: path "secret/data/venues/bybit-m" { capabilities = ["read"] }; or mend '
            "keys.vault.mount."
        ),
        (
            "wrong    keys     bybit-mm, read key: no secret at secret/data/venues/bybit-mm-ro in "
            "Vault. Write it: vault kv put -mount=secret venues/bybit-mm-ro @key.json (a KV v2 "
            'engine; the policy needs path "secret/data/venues/bybit-mm-ro" { capabilities = '
            '["read"] }).'
        ),
        (
            "wrong    keys     bybit-opt, key: Vault denies secret/data/venues/bybit-opt. Add to "
            'the policy: path "secret/data/venues/bybit-opt" { capabilities = ["read"] }; or mend '
            "keys.vault.mount."
        ),
        (
            "warning  keys     fallback: keys.sealed lacks venues/bybit-m: while Vault is out, "
            "that key cannot be had. Seal it too: cancelall keys seal venues/bybit-m --file "
            f"{tmp_path}/keys.sealed."
        ),
        "fine     keys     vault: 3 paths may be read.",
    ]
    assert token.id not in "\n".join(said)
    assert not [path for path in vault.paths() if path.endswith(("bybit-m", "bybit-arb"))]


@pytest.mark.parametrize(("fallback", "grade"), [("", "wrong"), (FALLBACK, "warning")])
async def test_an_outage_of_vault_is_one_line_and_a_warning_where_a_fallback_serves(
    tmp_path: Path, fallback: str, grade: str
):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        into_vault(product, "http://127.0.0.1:1", "s.nobody-asks-for-it", fallback=fallback)
        if not fallback:
            for line in ('file = "keys.sealed"\n', 'passphrase = { file = "passphrase" }\n'):
                edit(product, line, "")
        code, said = await checked(product)
    (line,) = [each for each in said if "  keys     " in each]
    assert line.startswith(f"{grade:<7}  keys     vault: keys cannot be read: Vault at http://")
    assert line.endswith("Start Vault, or mend the network, keys.vault.address or keys.vault.ca.")
    assert code == (78 if grade == "wrong" else 0)


async def test_a_wrapped_login_is_not_used_up_by_a_check(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        (tmp_path / "wrapped").write_text("s.wrapping-token-1")
        (tmp_path / "wrapped").chmod(0o600)
        edit(product, 'source = "sealed"', 'source = "vault"')
        edit(
            product,
            "[store]",
            '[keys.vault]\naddress = "http://127.0.0.1:1"\nauth = "approle"\nrole = "bot"\n'
            'role_id = "r"\nwrapped_secret_id = { file = "wrapped" }\n\n[store]',
        )
        for line in ('file = "keys.sealed"\n', 'passphrase = { file = "passphrase" }\n'):
            edit(product, line, "")
        code, said = await checked(product)
    assert code == 0
    assert [line for line in said if "  keys     " in line] == [
        (
            "warning  keys     vault: the secret_id comes wrapped and opens once: after a "
            "restart, and "
            "for cancelall pull on a console, nobody can log in. Have the platform hand over a "
            "new one "
            "at each start, and give consoles a login that lasts: another config with auth = "
            '"kubernetes", "jwt" or a secret_id of their own.'
        ),
        (
            "unknown  keys     vault: Vault is not asked from here: that would open the wrapped "
            "secret_id, which serve needs. Its own check asks every hour."
        ),
    ]


async def test_what_hangs_is_a_line_when_time_is_up(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        made_ready(product)
        product.venue.faults.add(Fault(wrong=Wrong.HANG, path="/v5/user/query-api", uid="1001"))
        code, said = await checked(product, limit_s=0.5)
    late = "no answer within 0.5 s. Look again; if it stays, look there by hand."
    assert code == 78
    assert [line for line in said if line.startswith("wrong")] == [
        f"wrong    account  bybit-mm: {late}",
    ]
    assert any("bybit-arb: the read key is of this account" in line for line in said)


def test_the_command_prints_its_lines_and_ends_with_78(tmp_path: Path):
    """As a shell sees it, without a config."""
    ran = subprocess.run(
        [sys.executable, "-m", "bot", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ran.returncode, ran.stderr) == (78, "")
    assert ran.stdout.splitlines() == [
        (
            "wrong    config   config.toml: config.toml cannot be read: No such file or directory. "
            "Check the path in --config."
        ),
        "",
        "1 wrong: it would fail tonight.",
        KEYS_UNREAD,
    ]


def test_limits_of_a_check_are_those_of_the_design():
    assert everything.LIMIT_S == 30.0
    assert Limits().key_read_s < everything.LIMIT_S
