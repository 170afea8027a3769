"""`cancelall pull`: break glass on a console, where no Slack, database or server is left.

Owns what one person alone may begin, and how it ends. The run itself is the one that Slack starts
too (`bot.flow.execute`); its record is two files that `serve` takes into the chain and posts
(`bot.store.record`); what the console prints is in `bot.printed`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from bot import config as configs
from bot import console, printed, wiring
from bot.config import Config
from bot.domain import command as commands
from bot.domain import plan as plans
from bot.domain.command import Cancel
from bot.domain.errors import SecretError, UsageError
from bot.domain.event import Event, EventKind
from bot.domain.limits import Limits
from bot.domain.plan import Directory, Plan
from bot.domain.request import Request, RequestState
from bot.domain.result import TargetStatus
from bot.flow import ask, execute
from bot.flow import desk as desks
from bot.flow.job import Means
from bot.flow.ports import Claim, Clock, Entry, KeySource
from bot.flow.preview import Previewer
from bot.printed import Say, Watch
from bot.store import look, pulls, record
from bot.store.record import Header, RecordJournal
from bot.wiring import OpenVenues
from policies import evaluate
from policies.model import Actor, Policy

ID_CHARS = 6
"""One more than an id of a request from Slack has, so that the two never meet."""
AT_FIRST, UNSEEN_S = 5, 10.0
"""The part of each budget that a console takes beside serve until serve has halved its own: with
the 80 % that serve may have used it makes 96, and so long the venues may count it."""
LOOK_S = 1.0
"""Between two looks whether serve runs beside us: then each has half of every budget."""
QUOTES = re.compile(r"[\"\u201c\u201d\u201e]")
QUOTED = re.compile(r"[\s'\"\u2018\u2019\u201c\u201d\u201e]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a console works with; what it lacks, a pull must do without."""

    config: Config
    venues: OpenVenues
    keys: KeySource
    clock: Clock
    limits: Limits
    say: Say
    usual_state: Path
    """Where `serve` looks; `state` may be elsewhere."""

    @property
    def state(self) -> Path:
        """Where this console keeps what it must."""
        return self.config.file.state.dir

    @property
    def directory(self) -> Directory:
        """Every account."""
        return self.config.directory

    @property
    def policy(self) -> Policy:
        """Who may do what."""
        return self.config.policy


@contextmanager
def log(state: Path) -> Iterator[TextIO]:
    """Open where the log goes, beside the record: a console shows what people need to read.

    Raises:
        ConfigError: the folder cannot be written.
    """
    path = state / pulls.FOLDER / "console.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        stream = path.open("a")
    except OSError as error:
        raise record.refusal(path.parent, error) from None
    with stream:
        yield stream


async def pull(
    config: Config,
    words: Sequence[str],
    say: Say,
    *,
    limits: Limits,
    state: Path | None = None,
) -> int:
    """Cancel what the words name, as whoever sits here, and print how it goes.

    Ends when every account is FLAT and has stayed so, when consent ends, or when it is interrupted.

    Returns:
        The exit status: 0 all FLAT, 1 orders rest, 2 unverified or not sent.

    Raises:
        UsageError: the words, the person or the moment are refused; nothing was sent.
        ConfigError: what it needs cannot be opened or written; nothing was sent.
        SecretError: the sealed file does not open, and there is no Vault; nothing was sent.
    """
    name = console.user()
    puller = console.actor(name, config.file.console.people)
    usual_state = config.file.state.dir
    if state is not None:
        config = configs.with_state(config, state)
    command = _command(words, limits)
    async with (
        _keys(config, say) as keys,
        wiring.open_venues(config) as venues,
    ):
        ground = Ground(
            config=config,
            venues=venues,
            keys=keys,
            clock=wiring.SystemClock(),
            limits=limits,
            say=say,
            usual_state=usual_state,
        )
        command, plan = await ask.resolve(ground, command, puller, may=evaluate.may_break_glass)
        if command.is_dry_run:
            await _count(ground, plan)
            return printed.FLAT
        return await _run(ground, _header(ground, command, plan, puller))


@asynccontextmanager
async def _keys(config: Config, say: Say) -> AsyncIterator[KeySource]:
    """Open where keys come from; a fallback that does not open must not keep us from Vault."""
    async with AsyncExitStack() as stack:
        try:
            keys = await stack.enter_async_context(wiring.open_keys(config))
        except SecretError as error:
            if config.vault is None:
                raise
            say(f"Without the {config.file.keys.fallback} fallback: {error.user_message}.")
            keys = await stack.enter_async_context(wiring.open_keys(configs.without_spare(config)))
        yield keys


def _command(words: Sequence[str], limits: Limits) -> Cancel:
    """Read the words by the grammar of `/cancelall`: the shell has taken the quotes away."""
    text = " ".join(_requoted(word) for word in words)
    command = commands.parse(text, chars_max=limits.command_chars_max)
    if not isinstance(command, Cancel):
        raise UsageError(
            user_message="A pull needs a scope.", remedy='Type cancelall pull all --reason "why".'
        )
    if not (command.reason or command.is_dry_run):
        raise UsageError(
            user_message="A pull needs a reason: others will read it.",
            remedy='Add --reason "why".',
        )
    return command


def _requoted(word: str) -> str:
    """Give back the quotes that the shell took: whatever stood in them is one word, in ours."""
    name, equals, value = word.partition("=")
    if equals and name.startswith("--"):
        return f"{name} {_requoted(value)}"
    if word and not QUOTED.search(word):
        return word
    return f'"{QUOTES.sub(chr(39), word)}"'


async def _count(ground: Ground, plan: Plan) -> None:
    """Say what would be cancelled, as far as read keys tell."""
    previewer = Previewer(
        keys=ground.keys, venues=ground.venues, clock=ground.clock, limits=ground.limits
    )
    for count in await previewer.count(plan):
        known = f"unknown, {count.why}" if count.orders is None else f"{count.orders:,} orders"
        ground.say(f"{count.account}: {known}")
    ground.say("Dry run: no cancel was sent.")


def _header(ground: Ground, command: Cancel, plan: Plan, puller: Actor) -> Header:
    now = ground.clock.now()
    request_id = "".join(secrets.choice(ask.CROCKFORD) for _ in range(ID_CHARS))
    _, consent_s = evaluate.clocks(ground.policy, [each.for_policy() for each in plan.targets])
    request = Request(
        id=request_id,
        state=RequestState.RUNNING,
        plan=plan,
        digest=plans.digest(plan, request_id=request_id),
        requester=puller,
        command=commands.canonical(command),
        reason=command.reason,
        policy_text=ground.config.policy_text,
        channel=ground.config.file.slack.incident_channel,
        posted_at=now,
        expires_at=now,
        consent_s=consent_s,
        decided_at=now,
        verdict_at=now + timedelta(seconds=ground.limits.verdict_s),
        consent_ends_at=now + timedelta(seconds=consent_s),
    )
    host = socket.gethostname()
    facts = desks.sendable(request) | {"by": puller.user_id, "user": puller.name, "host": host}
    event = Event(kind=EventKind.GLASS_BROKEN, request_id=request_id, at=now, facts=facts)
    return Header(request=request, by=puller.name, host=host, event=event)


async def _run(ground: Ground, header: Header) -> int:
    request = header.request
    watch = Watch(
        request=request,
        clock=ground.clock,
        say=ground.say,
        watched_s=ground.limits.flat_checks_s[-1],
    )
    folders = [each / pulls.FOLDER for each in (ground.state, ground.usual_state)]
    # Heeded from before the record begins: what it says has begun, serve would go on with.
    with _interruptible(watch.changed) as stopped:
        async with record.begin(folders, header, watch.told) as journal:
            printed.announce(request, header.by, ground.say)
            await _pursue(ground, watch, journal, header, stopped)
        return printed.report(watch, _recorded(ground, request, journal))


async def _pursue(
    ground: Ground,
    watch: Watch,
    journal: RecordJournal,
    header: Header,
    stopped: asyncio.Event,
) -> None:
    """Make every target flat, until each has its last verdict."""
    request = header.request
    means = Means(
        journal=journal,
        keys=ground.keys,
        venues=ground.venues,
        clock=ground.clock,
        limits=ground.limits,
    )
    waiting = tuple(
        TargetStatus(account=target.account, venue=target.venue) for target in request.plan.targets
    )
    claims = {target.key: Claim(key=target.key, fence=0) for target in request.plan.targets}
    ground.venues.share(AT_FIRST)
    async with execute.open_runner(means) as runner, asyncio.TaskGroup() as group:
        sharing = group.create_task(_share(ground, watch))
        await asyncio.sleep(0)  # A signal that came meanwhile is heard before any key is read.
        if stopped.is_set():
            runner.stop(request.id)
        runner.take(request, waiting, claims)
        is_stopped = False
        while not watch.is_over:
            if stopped.is_set() and not is_stopped:
                is_stopped = True
                runner.stop(request.id)
                ground.say("Interrupted: nothing more is sent.")
                journal.put(_stopped(header, ground.clock.now()))
            watch.changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await watch.changed.wait()
        sharing.cancel()


async def _share(ground: Ground, watch: Watch) -> None:
    """Cut each budget into parts where serve runs beside us: it calls from this address too.

    It halves its own share once it has seen us; what it sent before still counts at the venues.
    """
    assert watch.request.decided_at is not None
    while True:
        # In a thread: the disk of the database may hang, and no cancel waits for that.
        parts = 1
        if await asyncio.to_thread(look.is_in_use, ground.config.file.store.url):
            passed_s = (ground.clock.now() - watch.request.decided_at).total_seconds()
            is_seen = ground.state == ground.usual_state and passed_s >= UNSEEN_S
            parts = 2 if is_seen else AT_FIRST
        ground.venues.share(parts)
        await asyncio.sleep(LOOK_S)


@contextmanager
def _interruptible(changed: asyncio.Event) -> Iterator[asyncio.Event]:
    """Let Ctrl-C end the chase: what is known is told, and nothing more is sent.

    A terminal that goes away ends nothing: the line may drop while the cancels are on theirs. Nor
    does Ctrl-Z: while we stand still, nobody else takes over.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    names, unheeded = (signal.SIGINT, signal.SIGTERM), (signal.SIGHUP, signal.SIGTSTP)

    def stop() -> None:
        stopped.set()
        changed.set()

    for name in unheeded:
        loop.add_signal_handler(name, _go_on)
    for name in names:
        loop.add_signal_handler(name, stop)
    try:
        yield stopped
    finally:
        for name in (*names, *unheeded):
            loop.remove_signal_handler(name)


def _go_on() -> None:
    """Heed nothing."""


def _stopped(header: Header, now: datetime) -> Entry:
    """Say for the chain who ended the chase."""
    request = header.request
    event = Event(
        kind=EventKind.CHASE_STOPPED,
        request_id=request.id,
        at=now,
        facts={"by": request.requester.user_id, "by_name": header.by},
    )
    claim = Claim(key=request.plan.targets[0].key, fence=0)
    return Entry(request_id=request.id, claim=claim, event=event)


def _recorded(ground: Ground, request: Request, journal: RecordJournal) -> str:
    """Say where the record is, and how it gets into the chain."""
    usual, folder = (each / pulls.FOLDER for each in (ground.usual_state, ground.state))
    closed = "It stays red until somebody else closes it."
    if journal.is_behind:
        return (
            f"The disk refuses the record of {request.id} in {folder}: keep what stands here. "
            f"serve posts what it has. {closed}"
        )
    said = f"Recorded in {folder} as {request.id}"
    if folder != usual:
        return f"{said}. serve does not look there: copy {request.id}.* to {usual}. {closed}"
    return f"{said}: serve takes it into the chain and posts it. {closed}"
