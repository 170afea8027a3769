"""The manifest: shaped as Slack takes it, and asking for what the program uses and no more."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from slack_bolt.async_app import AsyncApp

from bot.domain.errors import UsageError
from bot.sandbox.slack import api
from bot.sandbox.slack import records as sandbox
from bot.slack import connection, listeners, manifest
from bot.slack.listeners import Counter

ROOT = Path(__file__).parents[2]
HTTPS = "https://cancelall.example.com"


def text(longest: int, *, shortest: int = 1, **more: str) -> dict[str, Any]:
    return {"type": "string", "minLength": shortest, "maxLength": longest, **more}


def record(*required: str, **parts: dict[str, Any]) -> dict[str, Any]:
    """An object that holds nothing else."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": parts,
    }


def some(entry: dict[str, Any], most: int, **more: bool) -> dict[str, Any]:
    return {"type": "array", "items": entry, "maxItems": most, **more}


YES_OR_NO = {"type": "boolean"}
URL = text(3500, pattern="^https?://")
# Written by us, for the parts that a manifest of ours may have, from version 1 of the JSON schema
# that Slack publishes at github.com/slackapi/manifest-schema (read 2026-11-21). Names and limits
# are Slack's; what an app of another kind could have is left out, and so refused here.
SCHEMA = record(
    "display_information",
    _metadata=record(major_version={"const": 1}),
    display_information=record(
        "name",
        name=text(35),
        description=text(140),
        background_color=text(7, shortest=4),
        long_description=text(4000, shortest=175),
    ),
    features=record(
        app_home=record(
            home_tab_enabled=YES_OR_NO,
            messages_tab_enabled=YES_OR_NO,
            messages_tab_read_only_enabled=YES_OR_NO,
        ),
        bot_user=record("display_name", display_name=text(80), always_online=YES_OR_NO),
        slash_commands={
            **some(
                record(
                    "command",
                    "description",
                    command=text(32, shortest=2, pattern="^/"),
                    url=text(3000, pattern="^https?://"),
                    description=text(2000),
                    usage_hint=text(1000),
                    should_escape=YES_OR_NO,
                ),
                50,
            ),
            "minItems": 1,
        },
    ),
    oauth_config=record(scopes=record(bot=some(text(50), 255), user=some(text(50), 255))),
    settings=record(
        event_subscriptions=record(
            request_url=URL, bot_events=some(text(50), 100, uniqueItems=True)
        ),
        interactivity=record("is_enabled", is_enabled=YES_OR_NO, request_url=URL),
        org_deploy_enabled=YES_OR_NO,
        socket_mode_enabled=YES_OR_NO,
        token_rotation_enabled=YES_OR_NO,
    ),
)

# What each method needs, by its page under https://docs.slack.dev/reference/methods, read
# 2026-11-21. conversations.info needs the one scope or the other, by the kind of channel.
NEEDS = {
    "apps.connections.open": set(),  # Of the bot token: it takes the app-level one.
    "auth.test": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.info": {"channels:read", "groups:read"},
    "usergroups.list": {"usergroups:read"},
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read"},
    "views.open": set(),
}
EVENT_NEEDS = {"subteam_members_changed": {"usergroups:read"}}
METHOD = re.compile(r"(apps|auth|chat|conversations|team|usergroups|users|views)(\.[a-zA-Z]+)+")


class Hooks:
    """Stands in for bolt: remembers what listeners are hung onto."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {"command": set(), "event": set(), "action": set()}

    def __getattr__(self, kind: str) -> Callable[[str], Callable[[object], object]]:
        def hook(name: str) -> Callable[[object], object]:
            self.found.setdefault(kind, set()).add(name)
            return lambda listener: listener

        return hook


def hooks() -> dict[str, set[str]]:
    app = Hooks()
    listeners.register(cast("AsyncApp", app), cast("Counter", None))
    return app.found


def methods() -> set[str]:
    """Every method of Slack's that the program names."""
    files = [path for path in (ROOT / "bot").rglob("*.py") if "sandbox" not in path.parts]
    return {
        node.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if METHOD.fullmatch(node.value)
    }


@pytest.mark.parametrize("url", [None, HTTPS])
def test_manifest_is_what_slack_takes(url: str | None):
    made = manifest.manifest(url)
    assert json.loads(json.dumps(made)) == made
    jsonschema.validate(made, SCHEMA)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made["display_information"].update(description="x" * 141),
        lambda made: made["features"]["slash_commands"][0].update(command="cancelall"),
        lambda made: made["settings"].update(socket_mode="yes"),
        lambda made: made["settings"]["interactivity"].pop("is_enabled"),
        lambda made: made["oauth_config"]["scopes"].update(bot="commands"),
    ],
)
def test_schema_takes_no_slip(spoil: Callable[[dict[str, Any]], object]):
    made = manifest.manifest(None)
    spoil(made)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, SCHEMA)


def test_socket_mode_names_no_url():
    made = manifest.manifest(None)
    assert made["settings"]["socket_mode_enabled"] is True
    assert "://" not in json.dumps(made)


def test_http_names_the_url_wherever_slack_sends():
    made = manifest.manifest(HTTPS)
    settings, there = made["settings"], "https://cancelall.example.com/slack/events"
    assert settings["socket_mode_enabled"] is False
    assert made["features"]["slash_commands"][0]["url"] == there
    assert settings["interactivity"]["request_url"] == there
    assert settings["event_subscriptions"]["request_url"] == there


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://h.example.com/", "https://h.example.com/slack/events"),
        ("https://h.example.com:8443", "https://h.example.com:8443/slack/events"),
        ("https://h.example.com/bot/slack/events", "https://h.example.com/bot/slack/events"),
    ],
)
def test_address_without_a_path_means_ours(given: str, used: str):
    made = manifest.manifest(given)
    assert made["settings"]["interactivity"]["request_url"] == used


@pytest.mark.parametrize(
    "url",
    [
        *("http://h.example.com", "h.example.com", "", "https://", "https://[", "https://a b/"),
        *("https://u:p@h.example.com", "https://h.example.com/?a=1", "https://h.example.com#x"),
        f"https://h.example.com/{'x' * 3000}",
    ],
)
def test_url_that_slack_would_not_take_is_refused(url: str):
    with pytest.raises(UsageError) as caught:
        manifest.manifest(url)
    assert caught.value.user_message == f'Slack cannot send to "{url[:80]}".'


def test_scopes_are_those_of_the_methods_that_the_program_calls_and_no_more():
    found = methods()
    assert found >= {"auth.test", "chat.update", "users.info", "usergroups.users.list"}
    needed = {"commands"}.union(*(NEEDS[method] for method in found))
    needed |= set().union(*(EVENT_NEEDS[event] for event in manifest.EVENTS))
    asked = manifest.manifest(None)["oauth_config"]["scopes"]["bot"]
    assert asked == sorted(needed)
    assert set(asked) == connection.SCOPES


def test_small_slack_grants_what_the_manifest_asks_for_and_demands_the_same():
    assert sorted(sandbox.SCOPES) == manifest.manifest(None)["oauth_config"]["scopes"]["bot"]
    demanded = {name: {scope} - {""} for name, (_, scope) in api.METHODS.items()}
    assert demanded.pop(api.OPEN_SOCKET) == {"connections:write"}
    unlike = [name for name, scope in demanded.items() if name in NEEDS and scope - NEEDS[name]]
    assert unlike == []


def test_every_command_and_event_that_is_listened_to_is_in_the_manifest_and_no_other():
    made, hung = manifest.manifest(None), hooks()
    assert {each["command"] for each in made["features"]["slash_commands"]} == hung["command"]
    assert set(made["settings"]["event_subscriptions"]["bot_events"]) == hung["event"]
    assert hung["action"]
    assert made["settings"]["interactivity"]["is_enabled"] is True
