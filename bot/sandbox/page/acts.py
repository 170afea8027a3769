"""What a person does on the page, done as Slack's own client does it.

Owns the shapes of these acts and their way: words typed become a message or a command, a press
becomes a signed delivery. Whatever no client could do is answered in words, and nothing is sent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bot.sandbox.page import sight
from bot.sandbox.slack import payloads
from bot.sandbox.slack.delivery import Delivery, NotPossibleError
from bot.sandbox.slack.outage import Outage
from bot.sandbox.slack.records import Draft, Json, Source, User
from bot.sandbox.slack.workspace import Workspace

WORDS_MAX = 12_000
"""Characters of a message; Slack cuts longer ones into several."""
DOWN = "Slack is down: nobody can post or press anything now."


class _Act(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    who: str


class Say(_Act):
    """Type words and press Enter."""

    act: Literal["say"]
    channel: str
    words: str = Field(max_length=WORDS_MAX)
    thread: str | None = None
    """The `ts` of the message whose thread it is typed in."""


class Click(_Act):
    """Press a button of a message, after its confirm dialog if it has one."""

    act: Literal["click"]
    channel: str
    ts: str
    action: str
    value: str = ""
    """What the button held that was pressed: the app may have edited it away meanwhile."""


class Submit(_Act):
    """Submit the modal on screen."""

    act: Literal["submit"]
    view: str
    """Its id."""
    values: dict[str, str]
    """What was typed, by block id."""


class Close(_Act):
    """Close the modal on screen."""

    act: Literal["close"]
    view: str
    """Its id."""


Act = Annotated[Say | Click | Submit | Close, Field(discriminator="act")]
READ: TypeAdapter[Act] = TypeAdapter(Act)
"""Reads an act from JSON."""


class Acts:
    """The people of a workspace at the page."""

    def __init__(self, workspace: Workspace, people: Delivery, outage: Outage) -> None:
        self._workspace = workspace
        self._people = people
        self._outage = outage

    async def do(self, act: Act) -> Json:
        """Do it.

        Returns:
            `problem`, in words that the person should read, empty if there is none; and `errors`,
            what stands beside the fields of a modal, by block id.
        """
        if isinstance(act, (Submit, Close)) and not self._is_on_screen(act):
            return _answer("This form is not open any more.")
        if self._outage.is_on:
            if isinstance(act, Close):  # That needs nobody but the person's own client.
                self._workspace.modals.close(act.who)
            return _answer(DOWN)
        try:
            return await self._do(act)
        except NotPossibleError as error:
            return _answer(f"That is not possible: {error}.")

    async def _do(self, act: Act) -> Json:
        match act:
            case Say():
                return await self._say(act)
            case Submit():
                return await self._submit(act)
            case Click():
                await self._people.click(act.who, act.channel, act.ts, act.action, shown=act.value)
            case Close():
                await self._people.close(act.who)
        return _answer()

    def _is_on_screen(self, act: Submit | Close) -> bool:
        modal = self._workspace.modals.on_screen(act.who)
        return modal is not None and modal.id == act.view

    async def _say(self, say: Say) -> Json:
        words = say.words.strip()
        who, place = self._workspace.user(say.who), self._workspace.channel(say.channel)
        if who is None or place is None or who.id not in place.members:
            return _answer("You are not in this channel.")
        if not words:
            return _answer()
        if say.words.startswith("/"):
            return await self._command(who, say, words)
        root = say.thread and self._workspace.message(place.id, say.thread)
        if say.thread and (not root or root.thread_ts):
            return _answer("This message has no thread.")
        text = payloads.escaped_text(self._workspace, words)
        self._workspace.post(place.id, who.id, Draft(text=text, thread_ts=say.thread))
        return _answer()

    async def _command(self, who: User, say: Say, words: str) -> Json:
        """Send a command to the app, or say as Slack does why it goes nowhere."""
        command, _, text = words.partition(" ")
        is_home = who.team_id == self._workspace.team_id
        known = {one.command for one in self._workspace.app.commands} if is_home else set[str]()
        if say.thread is not None and command in known:
            self._whisper(say, f"{command} is not supported in threads. Sorry!")
        elif command not in known:
            said = (
                f"{command} is not a valid command. In Slack, all messages that start with the "
                "“/” character are interpreted as slash commands."
            )
            self._whisper(say, said)
        else:
            await self._people.slash(who.id, say.channel, command, text.strip())
        return _answer()

    def _whisper(self, say: Say, said: str) -> None:
        text = payloads.escaped_text(self._workspace, said)
        draft = Draft(text=text, thread_ts=say.thread)
        self._workspace.whisper(say.who, say.channel, draft, Source.SLACK)

    async def _submit(self, submit: Submit) -> Json:
        delivered = await self._people.submit(submit.who, submit.values)
        problem = "We had some trouble connecting. Try again?" if delivered.error else ""
        return _answer(problem, dict(delivered.field_errors))


def can_act(workspace: Workspace, who: str) -> bool:
    """Tell whether somebody of that id can sign in to the page."""
    return any(user.id == who for user in sight.actors(workspace))


def _answer(problem: str = "", errors: dict[str, str] | None = None) -> Json:
    return {"problem": problem, "errors": errors or {}}
