"""`cancelall pull`: break glass on a console, where no Slack, database or server is left.

Owns what one person alone may begin, what the console prints, and the exit status. The run itself
is the one that Slack starts too (`bot.flow.execute`); its record is two files that `serve` takes
into the chain and posts (`bot.store.record`).
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from bot import config as configs
from bot import console, wiring
from bot.config import Config
from bot.domain import command as commands
from bot.domain import plan as plans
from bot.domain import result as results
from bot.domain.command import Cancel
from bot.domain.errors import SecretError, UsageError
from bot.domain.event import Event, EventKind
from bot.domain.limits import Limits
from bot.domain.plan import Directory, Plan
from bot.domain.request import Request, RequestState
from bot.domain.result import Outcome, Phase, TargetResult, TargetStatus
from bot.flow import ask, execute
from bot.flow import desk as desks
from bot.flow.execute import Runner
from bot.flow.job import Means
from bot.flow.ports import Claim, Clock, Entry, KeySource, Venues
from bot.flow.preview import Previewer
from bot.store import pulls, record
from bot.store.record import Header
from policies import evaluate
from policies.model import Actor, Policy

FLAT, RESIDUAL, UNVERIFIED = 0, 1, 2
"""Exit status: all FLAT; orders rest; for some account nobody can tell, or nothing was sent."""
ID_CHARS = 6
"""One more than an id of a request from Slack has, so that the two never meet."""
SHOWN_MAX = 5
"""Residual orders that are named beside a verdict."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a console works with; what it lacks, a pull must do without."""

    config: Config
    venues: Venues
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
            return FLAT
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
    text = " ".join(f'"{word}"' if " " in word else word for word in words)
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


@dataclass(slots=True, kw_only=True)
class Watch:
    """What the console has been told of each account, and what it prints of it."""

    ground: Ground
    request: Request
    statuses: dict[str, TargetStatus] = field(default_factory=dict)
    is_flat: bool = False
    """Every account is FLAT, and that was said."""
    said: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, entry: Entry) -> None:
        """Take an entry of the journal, and print it if it is news."""
        if entry.status is None:
            return
        self.statuses[entry.status.account] = entry.status
        line = _line(entry.status)
        if self.said.get(entry.status.account) != line:
            self.said[entry.status.account] = line
            self._say(f"{entry.status.account}: {line}")
        self._say_if_flat()
        self.changed.set()

    def _say(self, words: str) -> None:
        assert self.request.decided_at is not None
        passed = self.ground.clock.now() - self.request.decided_at
        self.ground.say(f"{passed.total_seconds():6.1f}  {words}")

    def _say_if_flat(self) -> None:
        """Say once that all is FLAT: whoever waits on need not, and should know what for."""
        results = [status.result for status in self.statuses.values()]
        was_flat, self.is_flat = (
            self.is_flat,
            len(results) == len(self.request.plan.targets)
            and all(result is not None and result.outcome is Outcome.FLAT for result in results),
        )
        if self.is_flat and not was_flat:
            longest_s = self.ground.limits.flat_checks_s[-1]
            self._say(
                f"every account FLAT. Watching {longest_s:.0f} s for orders that come back; "
                "Ctrl-C ends here, and FLAT stands."
            )

    @property
    def is_over(self) -> bool:
        """Tell whether every account has its last verdict."""
        targets = self.request.plan.targets
        return all(
            target.account in self.statuses and self.statuses[target.account].is_final
            for target in targets
        )


async def _run(ground: Ground, header: Header) -> int:
    request = header.request
    watch = Watch(ground=ground, request=request)
    folders = [each / pulls.FOLDER for each in (ground.state, ground.usual_state)]
    async with record.begin(folders, header, watch.told) as journal:
        means = Means(
            journal=journal,
            keys=ground.keys,
            venues=ground.venues,
            clock=ground.clock,
            limits=ground.limits,
        )
        _announce(ground, header)
        async with execute.open_runner(means) as runner:
            with _interruptible(runner, request.id, ground.say):
                waiting = tuple(
                    TargetStatus(account=target.account, venue=target.venue)
                    for target in request.plan.targets
                )
                runner.take(request, waiting, _claims(request))
                while not watch.is_over:
                    watch.changed.clear()
                    await watch.changed.wait()
    return _report(ground, watch)


def _claims(request: Request) -> Mapping[str, Claim]:
    """Name the keys: without a database nobody else can claim them."""
    return {target.key: Claim(key=target.key, fence=0) for target in request.plan.targets}


@contextmanager
def _interruptible(runner: Runner, request_id: str, say: Say) -> Iterator[None]:
    """Let Ctrl-C end the chase: what is known is told, and nothing more is sent.

    A terminal that goes away ends nothing: the line may drop while the cancels are on theirs.
    """
    loop, names = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        say("Interrupted: nothing more is sent.")
        runner.stop(request_id)

    loop.add_signal_handler(signal.SIGHUP, _go_on)
    for name in names:
        loop.add_signal_handler(name, stop)
    try:
        yield
    finally:
        for name in (*names, signal.SIGHUP):
            loop.remove_signal_handler(name)


def _go_on() -> None:
    """Heed nothing."""


def _announce(ground: Ground, header: Header) -> None:
    request = header.request
    targets = request.plan.targets
    assert request.consent_ends_at is not None
    ground.say(
        f"BREAK GLASS by {header.by}: pull {request.id}, "
        f"{len(targets)} account{'' if len(targets) == 1 else 's'}, chased until "
        f"{request.consent_ends_at:%H:%M:%S} UTC. Ctrl-C ends the chase."
    )
    if request.plan.left_out:
        ground.say(f"Not yours to pull: {', '.join(request.plan.left_out)}")
    if not request.plan.is_symbols_checked:
        ground.say("Symbols unchecked: a venue's list could not be had. Check the spelling.")


def _line(status: TargetStatus) -> str:
    """Say in a line where an account stands."""
    result = status.result
    if result is not None:
        return _verdict(result)
    words = [status.phase.value]
    if status.rounds and status.phase is not Phase.READING_KEY:
        words.append(f"round {status.rounds}")
    if status.open_now is not None:
        words.append(f"{'at least ' if status.is_at_least else ''}{status.open_now:,} open")
    if status.cause:
        words.append(status.cause)
    if status.key_note:
        words.append(f"key from the {status.key_note}")
    return ", ".join(words)


def _verdict(result: TargetResult) -> str:
    after = "unknown" if result.open_after is None else f"{result.open_after:,}"
    bound = "at least " if result.is_at_least else ""
    words = [f"{result.outcome.value} after {result.seconds:.1f} s, open {bound}{after}"]
    words += [part for part in (result.cause, result.remedy) if part]
    if result.residual:
        rest = [f"{each.symbol} {each.order_id}" for each in result.residual[:SHOWN_MAX]]
        words.append(f"rests: {', '.join(rest)}")
    return ". ".join(words)


def _recorded(ground: Ground, request: Request) -> str:
    """Say where the record is, and how it gets into the chain."""
    usual, folder = (each / pulls.FOLDER for each in (ground.usual_state, ground.state))
    said = f"Recorded in {folder} as {request.id}"
    closed = "It stays red until somebody else closes it."
    if folder != usual:
        return f"{said}. serve does not look there: copy {request.id}.* to {usual}. {closed}"
    return f"{said}: serve takes it into the chain and posts it. {closed}"


def _report(ground: Ground, watch: Watch) -> int:
    """Print the verdict over all, and what this program cannot see; return the exit status."""
    request = watch.request
    statuses = tuple(watch.statuses[target.account] for target in request.plan.targets)
    report = results.summarise(statuses, is_over=True)
    ground.say("")
    ground.say(report.headline)
    for result in report.results:
        ground.say(f"{result.account}: {_verdict(result)}")
    for venue, blind in {t.venue: t.blind_to for t in request.plan.targets}.items():
        ground.say(f"Not seen by cancelall at {venue}: {'; '.join(blind)}.")
    ground.say("Nothing here stops a bot from placing new orders.")
    ground.say(_recorded(ground, request))
    if request.plan.left_out:
        ground.say(
            f"NOT TOUCHED, not yours to pull: {', '.join(request.plan.left_out)}. "
            "Assume that every order there is live."
        )
    outcomes = {result.outcome for result in report.results}
    is_dark = outcomes & {Outcome.UNVERIFIED, Outcome.NOT_SENT}
    if is_dark or report.missing or request.plan.left_out:
        return UNVERIFIED
    return FLAT if outcomes == {Outcome.FLAT} else RESIDUAL
