"""What a check finds in Slack: tokens, channels, user groups, people."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bot import demo
from bot.checks import slack
from bot.checks.ground import Ground, SlackSide
from bot.checks.slate import Slate
from bot.config_file import SecretAt, SlackPart
from bot.domain import finding as findings
from bot.sandbox.slack import api, faults
from bot.sandbox.slack.faults import Fault
from bot.sandbox.slack.records import App, User, UserGroup
from bot.sandbox.slack.traffic import Traffic
from bot.sandbox.slack.workspace import HOME, Workspace
from bot.sandbox.world import ALICE, BOB, CAROL, INCIDENT, RISK, TRADERS, desk
from bot.slack import connection
from bot.slack.identity import SlackPeople
from bot.slack.socket import APP_TOKEN
from bot.wiring import SystemClock
from policies import model
from tests.domain.test_plan import entry

Change = Callable[[Workspace], object]
EDITORS = (
    "unknown  policy   user groups: whoever may edit S0RISK, S0TRADERS decides who approves, and "
    "Slack does not tell who may; by default owners and admins. Look in Slack: Admin, Workspace "
    "settings, Roles & permissions, user groups."
)
THERE = "See https://slack-status.com, and whether this host reaches slack.api_url."
GOOD = [
    EDITORS,
    "fine     policy   all: 2 people suffice at least (alice asks, bob approves).",
    "fine     policy   rule prod: alice may ask, and others can approve.",
    "fine     slack    app-level token: it opens sockets.",
    "fine     slack    bot token: it is U0CANCELALL of T0HOME, with the scopes it needs.",
    f"fine     slack    channel {INCIDENT}: #incident takes cards.",
]


def config(policy: str = demo.POLICY) -> Any:
    part = SlackPart(incident_channel=INCIDENT, bot_token=SecretAt(env="X"))
    return SimpleNamespace(
        policy=model.parse(policy),
        accounts=(entry("mm", tags=(("env", "prod"),)),),
        file=SimpleNamespace(slack=part, policy=SimpleNamespace(name="policy.toml")),
    )


def good_desk() -> Workspace:
    """Return the sandbox's desk without whom and what a check would warn of."""
    workspace = desk()
    workspace.set_members(TRADERS, [ALICE])
    workspace.set_members(RISK, [BOB, CAROL])
    channel(is_ext_shared=False)(workspace)
    return workspace


def channel(**facts: Any) -> Change:
    def change(workspace: Workspace) -> None:
        known = workspace.channel(INCIDENT)
        assert known is not None
        workspace.put_channel(replace(known, **facts))

    return change


async def lines(
    change: Change = lambda _: None,
    *,
    policy: str = demo.POLICY,
    fault: tuple[str, Fault] | None = None,
    token: str = "",
    app_token: str = "",
) -> list[str]:
    workspace, traffic, clock = good_desk(), Traffic(), SystemClock()
    change(workspace)
    if fault is not None:
        traffic.add(*fault)
    slate = Slate()
    async with (
        api.serve(workspace, traffic) as url,
        connection.open_client(token or workspace.app.bot_token, url) as client,
        connection.open_client(
            app_token or workspace.app.app_token, url, kind=APP_TOKEN
        ) as app_client,
    ):
        people = SlackPeople(client=client, clock=clock, call_s=2.0)
        side = SlackSide(client=client, people=people, app_client=app_client)
        ground = Ground(config=config(policy), clock=clock, venues=None, keys=None, slack=side)
        await slack.look(ground, slate)
    return [each.line for each in findings.arranged(slate.findings)]


def scopes(*more: str, without: str = "") -> Change:
    def change(workspace: Workspace) -> None:
        kept = tuple(scope for scope in App().scopes if scope != without)
        workspace.app = replace(workspace.app, scopes=(*kept, *more))

    return change


async def test_a_desk_that_is_ready_has_nothing_but_who_edits_its_groups():
    assert await lines() == GOOD


CHANNEL = f"channel {INCIDENT}: "
DISABLED = UserGroup(id=TRADERS, at_name="traders", members=(ALICE,), is_disabled=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            scopes("chat:write.public", "files:write"),
            (
                "warning  slack    bot token: it may do more than it needs: chat:write.public, "
                "files:write. Make the app from `cancelall slack manifest`, and install it again."
            ),
        ),
        (
            channel(is_archived=True),
            f"wrong    slack    {CHANNEL}#incident is archived. Restore it, or mend the config.",
        ),
        (
            channel(members=frozenset({ALICE})),
            (
                f"wrong    slack    {CHANNEL}#incident is without the bot. "
                "Type /invite @cancelall there, or mend the config."
            ),
        ),
        (
            channel(members=frozenset({ALICE}), is_private=True),
            (
                f"wrong    slack    {CHANNEL}no such channel is shown to the bot, or it is "
                f"private. "
                "Type /invite @cancelall there, or mend the config."
            ),
        ),
        (
            channel(is_pending_ext_shared=True),
            (
                f"warning  slack    {CHANNEL}#incident is shared with another organisation: it "
                f"reads "
                "every card. Use a channel of your own; their votes never count."
            ),
        ),
        (
            lambda w: w.put_group(DISABLED),
            (
                "wrong    policy   user group S0TRADERS: @traders is disabled: nobody is in it. "
                "Enable it in Slack, or mend the policy."
            ),
        ),
        (
            lambda w: w.put_group(DISABLED),
            (
                "wrong    policy   rule prod: nobody who is left in its roles may ask for mm. "
                "Mend the policy, or add people to its roles."
            ),
        ),
        (
            lambda w: w.remove_group(TRADERS),
            (
                "wrong    policy   user group S0TRADERS: Slack knows no such user group: nobody "
                "is in "
                "it. Mend the id in the policy: S… from the group's link."
            ),
        ),
        (
            lambda w: w.set_members(RISK, []),
            (
                "warning  policy   user group S0RISK: @risk is empty. "
                "Add people to it, or take it out of the policy."
            ),
        ),
        (
            lambda w: w.set_members(RISK, [ALICE]),
            (
                "wrong    policy   rule prod: Nobody can fill 1 of risk (rule prod), whoever asks. "
                "Mend the policy, or add people to its roles."
            ),
        ),
        (
            lambda w: w.put_user(User(id=BOB, name="bob", team_id=HOME, is_deactivated=True)),
            (
                "warning  policy   role risk: these do not count: bob's account is deactivated. "
                "Take them out, so that nobody waits for them."
            ),
        ),
        (
            lambda w: w.set_members(RISK, [f"U0N{n}" for n in range(60)]),
            (
                "unknown  policy   people: 61 people are in its roles: more than the 60 read. "
                "See by hand that the seats can be filled."
            ),
        ),
    ],
    ids=[
        *("scopes too many", "archived", "not invited", "private", "shared"),
        *(
            "group disabled",
            "its people",
            "group gone",
            "group empty",
            "one person asks and approves",
        ),
        *("approver gone", "too many to read"),
    ],
)
async def test_what_slack_shows_to_be_wrong_is_told(change: Change, said: str):
    found = await lines(change)
    assert said in found


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"token": "xoxb-of-somebody-else"},
            (
                "wrong    slack    bot token: Slack refuses the bot token (invalid_auth). "
                "Install the app again and store its Bot User OAuth Token."
            ),
        ),
        (
            {"change": scopes(without="users:read")},
            (
                "wrong    slack    bot token: The bot token lacks the scope users:read. "
                "Add it to the app's bot scopes and install the app again."
            ),
        ),
    ],
    ids=["refused", "a scope missing"],
)
async def test_a_token_that_is_refused_is_all_that_is_told(more: dict[str, Any], said: str):
    assert await lines(**more) == [said]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"app_token": "xapp-of-somebody-else"},
            (
                "wrong    slack    app-level token: Slack refuses it: invalid_auth. Make one "
                "with the "
                "scope connections:write under Basic Information of the app, store it, and switch "
                "Socket Mode on."
            ),
        ),
        (
            {"fault": ("apps.connections.open", faults.server_error())},
            (
                f"wrong    slack    app-level token: Slack opens no socket: HTTP 500. {THERE} "
                "Is Socket Mode switched on in the app?"
            ),
        ),
        (
            {"fault": ("conversations.info", faults.server_error())},
            f"wrong    slack    {CHANNEL}Slack does not say what it is: HTTP 500. {THERE}",
        ),
        (
            {"fault": ("usergroups.list", faults.reset())},
            (
                "wrong    policy   people: Slack does not list its user groups: "
                f"ServerDisconnectedError. {THERE}"
            ),
        ),
        (
            {"fault": ("users.info", faults.server_error())},
            (
                "wrong    policy   people: Slack does not say who the people in its roles are. "
                f"{THERE}"
            ),
        ),
        (
            {"policy": demo.POLICY.replace(HOME, "T0OTHER")},
            (
                "wrong    slack    bot token: policy.toml: workspaces lacks T0HOME, the bot's "
                "own, so "
                'everybody there would be refused. Add "T0HOME", or store the bot token of a '
                "workspace that is listed."
            ),
        ),
        (
            {
                "policy": demo.POLICY.replace(
                    "[roles.risk]\n", '[roles.risk]\nusers = ["U0NOBODY"]\n'
                )
            },
            (
                "wrong    policy   role risk: Slack knows nobody as U0NOBODY. "
                "Mend the ids: a member's profile shows theirs."
            ),
        ),
    ],
    ids=[
        *("app token", "no socket", "no word of a channel", "no word of groups"),
        *("no word of people", "another workspace", "nobody of that id"),
    ],
)
async def test_what_slack_refuses_or_does_not_say_is_wrong(more: dict[str, Any], said: str):
    assert said in await lines(**more)


async def test_a_slack_that_hangs_is_given_up():
    slate = Slate()
    workspace, traffic, clock = good_desk(), Traffic(), SystemClock()
    traffic.add("auth.test", faults.hang())
    async with (
        api.serve(workspace, traffic) as url,
        connection.open_client(workspace.app.bot_token, url) as client,
    ):
        side = SlackSide(client=client, people=SlackPeople(client=client, clock=clock, call_s=0.1))
        ground = Ground(config=config(), clock=clock, venues=None, keys=None, slack=side)
        await slack.look(ground, slate, meet_s=0.1)
        assert [each.line for each in slate.findings] == [
            (
                f"wrong    slack    bot token: Slack at {url} does not say within 0.1 s who we "
                f"are. "
                f"{THERE}"
            )
        ]
