"""Break glass on a console: no Slack, no database, no server; and what becomes of it afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot import config as configs
from bot import console, demo, pull, wiring
from bot.config import Config
from bot.domain.errors import BotError
from bot.domain.limits import Limits
from bot.sandbox import world as worlds
from bot.sandbox.vault.records import OPENBAO
from bot.sandbox.venues.faults import Fault, Wrong
from bot.sandbox.world import ALICE, BOB, CAROL, GINA
from tests.fakes import desk as desks
from tests.fakes.desk import Product
from tests.keys.vault_rig import rig_on

ROOT = Path(__file__).parents[1]
WHY = ("--reason", "runaway quoter")
QUICK = Limits(flat_checks_s=(0.1,), slack_pause_s=0.1)


def set_up(product: Product, *, people: Mapping[str, str] | None = None) -> Config:
    """Write the desk's config; whoever runs the tests is Alice, and may break the glass."""
    demo.set_up(product.world, product.folder)
    policy, config = product.folder / "policy.toml", product.folder / "config.toml"
    policy.write_text(
        policy.read_text().replace("ask =", 'break_glass = ["heads"]\nask =')
        + f'\n[roles.heads]\nusers = ["{ALICE}"]\n'
    )
    mapped = {console.user(): ALICE} if people is None else people
    users = ", ".join(f'"{name}" = "{person}"' for name, person in mapped.items())
    config.write_text(f"{config.read_text()}\n[console]\npeople = {{ {users} }}\n")
    return configs.load_console(config, {})


async def pulled(
    config: Config, *words: str, limits: Limits = QUICK, state: Path | None = None
) -> tuple[int, str]:
    said: list[str] = []
    code = await pull.pull(config, words, said.append, limits=limits, state=state)
    return code, "\n".join(said)


async def refused(config: Config, *words: str) -> str:
    with pytest.raises(BotError) as caught:
        await pulled(config, *words)
    return str(caught.value)


async def test_pull_empties_every_book_without_slack_server_or_database(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        for name in ("slack.token", "slack.signing"):
            (tmp_path / name).unlink()
        code, said = await pulled(config, "all", *WHY)
        assert product.left() == 0
        assert product.world.traffic.calls == []
    assert code == 0
    assert "BREAK GLASS by" in said
    assert "FLAT: 3 of 3 accounts" in said
    assert "bybit-mm: FLAT after" in said
    assert not (tmp_path / "cancelall.db").exists()


async def test_pull_of_one_account_leaves_the_others_alone(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        before = product.left()
        code, _ = await pulled(config, "bybit-mm", *WHY)
        assert (code, product.left()) == (0, before * 2 // 3)


async def test_dry_run_sends_no_cancel_and_leaves_no_record(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        before = product.left()
        code, said = await pulled(config, "all", "--dry-run")
        assert product.left() == before
    assert code == 0
    assert said.endswith("Dry run: no cancel was sent.")
    assert not (tmp_path / "state" / "pulls").exists()


async def test_orders_that_stay_are_named_and_end_with_one(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/order/cancel-all"))
        limits = replace(QUICK, verdict_s=1.0, stuck_after_s=60.0)
        waiting = pulled(config, "bybit-mm", *WHY, limits=limits)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(waiting)
            await asyncio.sleep(2.0)
            signal.raise_signal(signal.SIGINT)
        code, said = running.result()
    assert code == 1, said
    assert "bybit-mm: RESIDUAL after" in said
    assert "rests: " in said
    assert "Interrupted: nothing more is sent." in said


async def test_a_key_that_cannot_be_had_ends_with_two(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        text = (tmp_path / "config.toml").read_text()
        wrong = text.replace('key = "venues/bybit-mm"\n', 'key = "venues/nothing"\n')
        (tmp_path / "config.toml").write_text(wrong)
        config = configs.load_console(tmp_path / "config.toml", {})
        code, said = await pulled(config, "all", *WHY)
    assert code == 2
    assert "bybit-mm: NOT_SENT after" in said
    assert "Seal it: cancelall keys seal venues/nothing." in said
    assert "bybit-arb: FLAT after" in said


async def test_whoever_the_config_does_not_map_is_refused(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product, people={"somebody-else": ALICE})
        before = product.left()
        said = await refused(config, "all", *WHY)
        assert product.left() == before
    assert said == (
        f"The config knows nobody at a console as {console.user()}. Log in as a user who stands "
        f'there, or add {console.user()} = "U…" under [console] people.'
    )


async def test_whoever_the_policy_does_not_list_is_refused(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product, people={console.user(): BOB})
        before = product.left()
        said = await refused(config, "all", *WHY)
        assert product.left() == before
    assert said == (
        "You may not pull bybit-mm. Rule prod lets heads break the glass, "
        f"not {console.user()} (U0BOB)."
    )


async def test_a_pull_without_a_reason_is_refused(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        said = await refused(config, "all")
    assert said == 'A pull needs a reason: others will read it. Add --reason "why".'


async def test_one_person_pulls_once_in_ten_minutes(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        await pulled(config, "bybit-mm", *WHY)
        before = product.left()
        said = await refused(config, "all", *WHY)
        assert product.left() == before
    assert "one pull a person in ten minutes. Wait " in said
    assert said.endswith("have somebody else pull whom the policy lists.")


async def test_a_pull_that_died_on_the_way_does_not_keep_its_person_waiting(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        await pulled(config, "bybit-mm", *WHY)
        for spool in (tmp_path / "state" / "pulls").glob("*.spool"):
            spool.write_bytes(b"")  # As if it had been killed before its first answer.
        code, _ = await pulled(config, "all", *WHY)
    assert code == 0


async def test_a_folder_that_takes_no_record_is_named_and_nothing_is_sent(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "pulls").write_text("in the way")
        before = product.left()
        said = await refused(config, "all", *WHY)
        assert product.left() == before
        code, told = await pulled(config, "all", *WHY, state=tmp_path / "else")
    request_id = told.split("pull ")[1][:6]
    assert (
        f"Recorded in {tmp_path}/else/pulls as {request_id}. serve does not look there: "
        f"copy {request_id}.* to {tmp_path}/state/pulls."
    ) in told
    assert said == (
        f"No record of a pull can be written to {tmp_path}/state/pulls: File exists. "
        "Name a folder that takes one: --state FOLDER."
    )
    assert code == 0


async def closed_by(product: Product, who: str) -> list[str]:
    return await product.press(who, "close_glass")


async def test_serve_takes_a_pull_into_the_chain_and_posts_it_red_until_another_closes_it(
    tmp_path: Path,
):
    async with desks.open_surroundings(tmp_path) as product:
        config = set_up(product)
        await pulled(config, "all", *WHY)
        async with desks.started(product):
            card = await product.until(lambda text: "*FINISHED*" in text)
            lines = card.split("\n")
            assert (
                lines[0] == f"🔴 BREAK GLASS by {console.user()} (console): FLAT: 3 of 3 accounts"
            )
            assert "*Nobody approved this*" in card
            assert "*Why* runaway quoter" in card
            await desks.soon(lambda: len(product.thread()) == 2)
            assert [each.split("\n")[0] for each in product.thread()] == [
                "*FLAT: 3 of 3 accounts*",
                "*bybit: 3 of 3 accounts FLAT*",
            ]
            assert await closed_by(product, ALICE) == [
                "alice pulled this: somebody else must close it."
            ]
            assert await closed_by(product, GINA) == ["gina is a guest here."]
            said = await product.type(CAROL, "status")
            assert f"BREAK GLASS by {console.user()} (console): red" in said[0]
            assert (await closed_by(product, BOB))[0].startswith("You closed ")
            card = await product.until(lambda text: "*Closed* by bob" in text)
            assert card.startswith(f"BREAK GLASS by {console.user()} (console): FLAT")
            assert "Nothing is pending" in (await product.type(CAROL, "status"))[0]
        assert not list((tmp_path / "state" / "pulls").glob("*.pull"))
        assert len(list((tmp_path / "state" / "pulls").glob("*.recorded"))) == 2


async def test_a_record_counts_once_however_often_it_is_taken_up(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        await pulled(set_up(product), "all", *WHY)
        folder = tmp_path / "state" / "pulls"
        copies = {path.name: path.read_bytes() for path in folder.iterdir()}
        kinds = []
        for _ in range(2):
            for name, content in copies.items():
                (folder / name).write_bytes(content)
            async with desks.started(product):
                await product.until(lambda text: "*FINISHED*" in text)
                await desks.soon(lambda: not list(folder.glob("*.pull")))
                (request_id,) = {name[:6] for name in copies if name.endswith(".pull")}
                kinds.append([e.kind.value for e in await product.bot.trail.events(request_id)])
                assert await product.bot.trail.first_break() is None
    assert kinds[0] == kinds[1]
    assert kinds[0].count("glass.broken") == 1
    assert kinds[0].count("run.finished") == 1
    assert kinds[0].count("round.ended") == 3


CONSOLE = """\
import asyncio, sys
from pathlib import Path
from bot import config, pull
from bot.domain.limits import Limits
found = config.load_console(Path(sys.argv[1]))
limits = Limits(flat_checks_s=(0.1,))
sys.exit(asyncio.run(pull.pull(found, sys.argv[2:], print, limits=limits)))
"""


async def console_of(product: Product, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-uc", CONSOLE, str(product.folder / "config.toml"), *words),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def test_serve_shows_a_pull_at_once_and_leaves_it_to_its_console_while_that_lives(
    tmp_path: Path,
):
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/order/cancel-all"))
        async with desks.started(product):
            console_process = await console_of(product, "bybit-mm", *WHY)
            card = await product.until(lambda text: "RUNNING" in text)
            assert f"BREAK GLASS by {console.user()} (console)" in card
            assert product.bot.desk.runner.is_at_work(card_id(product)) is False
            product.venue.faults.clear()
            code = await console_process.wait()
            card = await product.until(lambda text: "*FINISHED*" in text)
            assert "FLAT: 1 of 1 accounts" in card
    assert code == 0


async def test_serve_takes_over_from_a_console_that_was_killed(tmp_path: Path):
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/order/cancel-all"))
        async with desks.started(product):
            console_process = await console_of(product, "bybit-mm", *WHY)
            await product.until(lambda text: "RUNNING" in text)
            console_process.kill()
            await console_process.wait()
            product.venue.faults.clear()
            card = await product.until(lambda text: "FLAT: 1 of 1 accounts" in text)
            assert f"BREAK GLASS by {console.user()} (console)" in card
            assert product.count("1001") == 0


async def test_what_a_killed_console_left_is_not_gone_on_with_against_the_policy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A record is only a file: whoever wrote it must have been allowed to pull."""
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
        product.venue.faults.add(Fault(wrong=Wrong.SERVER, path="/v5/order/cancel-all"))
        console_process = await console_of(product, "bybit-mm", *WHY)
        assert console_process.stdout is not None
        await console_process.stdout.readline()
        console_process.kill()
        await console_process.wait()
        product.venue.faults.clear()
        policy = tmp_path / "policy.toml"
        policy.write_text(policy.read_text().replace('break_glass = ["heads"]', "break_glass = []"))
        before = product.count("1001")
        async with desks.started(product):
            await product.until(lambda text: "BREAK GLASS" in text)
            await desks.soon(lambda: "pull.distrusted" in caplog.text)
            await asyncio.sleep(1.0)
            assert product.count("1001") == before
    assert before > 0


async def test_a_record_that_nobody_can_read_is_put_aside_and_keeps_nothing_from_running(
    tmp_path: Path,
):
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
        folder = tmp_path / "state" / "pulls"
        folder.mkdir(parents=True)
        (folder / "ABCDEF.pull").write_text("{}")
        (folder / "ABCDEF.spool").write_text("nonsense\n")
        async with desks.started(product):
            assert (await product.flat()).startswith("FLAT: 3 of 3")
    assert sorted(path.name for path in folder.iterdir()) == [
        "ABCDEF.pull.refused",
        "ABCDEF.spool.refused",
    ]


async def test_the_command_line_empties_every_book_with_all_else_gone(tmp_path: Path):
    """A server was killed, its database is gone, and Slack is: the config and the keys are left."""
    async with worlds.open_world(7) as world:
        set_up(Product(world=world, folder=tmp_path))
        server = await started_by(tmp_path, "serve")
        assert server.stderr is not None
        while b"bot.started" not in await server.stderr.readline():
            pass
        server.kill()
        await server.communicate()
        lose(tmp_path)
        calls = len(world.traffic.calls)
        console_process = await started_by(tmp_path, "pull", "all", *WHY)
        said = await until_flat(console_process, accounts=len(world.accounts))
        console_process.send_signal(signal.SIGINT)
        rest, _ = await console_process.communicate()
        assert world.total() == 0
        assert len(world.traffic.calls) == calls
    assert console_process.returncode == 0
    assert said.startswith(f"BREAK GLASS by {console.user()}: pull ")
    assert "FLAT: 12 of 12 accounts" in rest.decode()
    (tmp_path / "printed.txt").write_text(said + rest.decode())


def lose(folder: Path) -> None:
    """Take the database and all that Slack is known by."""
    for path in [*folder.glob("cancelall.db*"), *folder.glob("slack.*")]:
        path.unlink()


async def started_by(folder: Path, *words: str) -> asyncio.subprocess.Process:
    command, *rest = words
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-um", "bot", command, "--config", str(folder / "config.toml"), *rest),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def until_flat(console_process: asyncio.subprocess.Process, *, accounts: int) -> str:
    """Read what is printed until every account is FLAT."""
    assert console_process.stdout is not None
    said, flat = "", set[str]()
    async with asyncio.timeout(40):
        while len(flat) < accounts:
            line = (await console_process.stdout.readline()).decode()
            assert line, said
            said += line
            if ": FLAT after " in line:
                flat.add(line.split(":")[0].split()[-1])
    return said


def card_id(product: Product) -> str:
    (path,) = (product.folder / "state" / "pulls").glob("*.pull")
    return path.stem


async def test_a_refusal_is_one_line_also_where_keys_are_in_vault(tmp_path: Path):
    """Exit status 1 would mean that orders rest."""
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
    config = tmp_path / "config.toml"
    text = config.read_text().replace('source = "sealed"', 'source = "vault"')
    for line in ('file = "keys.sealed"\n', 'passphrase = { file = "passphrase" }\n'):
        text = text.replace(line, "")
    token = tmp_path / "token"
    token.write_text("s.nobody-asks-for-it")
    token.chmod(0o600)
    vault = '[keys.vault]\naddress = "http://127.0.0.1:1"\nauth = "token"\n'
    config.write_text(f'{text}\n{vault}token = {{ file = "token" }}\n')
    pull = [sys.executable, "-m", "bot", "pull", "--config", str(config), "bybit-mn", *WHY]
    done = await asyncio.to_thread(
        subprocess.run, pull, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith('error: "bybit-mn" is not an account or a venue. Did you mean')
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.chmod(0o644)])
async def test_a_fallback_that_does_not_open_keeps_nobody_from_vault(
    tmp_path: Path, spoil: Callable[[Path], None]
):
    with rig_on(OPENBAO) as rig:
        async with desks.open_surroundings(tmp_path) as product:
            config = set_up(product)
            rig.allow(*config.file.key_paths)
            async with wiring.open_keys(config) as keys:
                for path in config.file.key_paths:
                    document = (await keys.read(path)).text.get_secret_value()
                    rig.write(path, json.loads(document))
            parts = {"source": "vault", "fallback": "sealed", "vault": rig.part()}
            file = config.file.model_copy(
                update={"keys": config.file.keys.model_copy(update=parts)}
            )
            spoil(tmp_path / "keys.sealed")
            config = replace(config, file=file, vault=rig.access().made())
            code, said = await pulled(config, "all", *WHY)
            assert product.left() == 0
    assert code == 0
    assert said.startswith(f"Without the sealed fallback: {tmp_path}/keys.sealed ")


async def test_exit_status_waits_for_no_thread_that_hangs(tmp_path: Path):
    """A pipe that nobody writes to stands for the file of a credential on a dead disk."""
    async with desks.open_surroundings(tmp_path) as product:
        set_up(product)
    config, jwt = tmp_path / "config.toml", tmp_path / "jwt"
    os.mkfifo(jwt)
    text = config.read_text().replace('source = "sealed"', 'source = "vault"')
    for line in ('file = "keys.sealed"\n', 'passphrase = { file = "passphrase" }\n'):
        text = text.replace(line, "")
    vault = '[keys.vault]\naddress = "http://127.0.0.1:1"\nauth = "jwt"\nrole = "r"\n'
    config.write_text(f'{text}\n{vault}jwt_file = "jwt"\n')
    running = await started_by(tmp_path, "pull", "all", *WHY)
    await asyncio.to_thread(jwt.write_text, "read once, when the config is")
    assert running.stdout is not None
    while b"bybit-mm: " not in await running.stdout.readline():
        pass
    running.send_signal(signal.SIGINT)
    async with asyncio.timeout(10):
        said, _ = await running.communicate()
    assert b"Recorded in " in said
    assert running.returncode == 2
