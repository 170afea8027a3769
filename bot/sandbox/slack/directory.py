"""The methods that only read: who somebody is, who is in a group, what a channel is.

Owns the answers to auth.test, users.info, usergroups.* and conversations.*. They tell facts in
Slack's words, with Slack's gaps: an outsider is only known by the team id, a deactivated person has
no guest flags, and a group's list may hold both.
"""

from __future__ import annotations

from bot.sandbox.slack.records import Channel, Json, Standing, User, UserGroup
from bot.sandbox.slack.refusal import Refused
from bot.sandbox.slack.workspace import Workspace

PAGE = 100
PAGE_MAX = 1_000


def is_true(value: object) -> bool:
    """Read a flag as form fields and JSON carry it."""
    return value is True or str(value) in {"1", "true", "True"}


def auth_test(workspace: Workspace, _args: Json) -> Json:
    """Answer auth.test."""
    bot = workspace.user(workspace.app.bot_user_id)
    assert bot is not None, "the workspace adds the bot's own user"
    answer: Json = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.domain,
        "user": bot.name,
        "team_id": workspace.team_id,
        "user_id": bot.id,
        "bot_id": workspace.app.bot_id,
        "is_enterprise_install": False,
    }
    if workspace.enterprise_id is not None:
        answer["enterprise_id"] = workspace.enterprise_id
    return answer


def read_user(workspace: Workspace, args: Json) -> Json:
    """Answer users.info."""
    user = workspace.user(str(args.get("user", "")))
    if user is None:
        raise Refused("user_not_found")
    return {"user": _shown_user(workspace, user)}


def _shown_user(workspace: Workspace, user: User) -> Json:
    shown: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.is_deactivated,
        "profile": {"real_name": user.name, "display_name": user.name, "team": user.team_id},
        "is_bot": user.standing is Standing.BOT,
        "updated": int(workspace.now()),
    }
    if user.enterprise_user_id is not None and workspace.enterprise_id is not None:
        shown["enterprise_user"] = {
            "id": user.enterprise_user_id,
            "enterprise_id": workspace.enterprise_id,
            "teams": [user.team_id],
        }
    if user.is_deactivated:
        return shown
    shown |= {
        "is_admin": False,
        "is_owner": False,
        "is_restricted": user.standing in {Standing.GUEST, Standing.SINGLE_CHANNEL_GUEST},
        "is_ultra_restricted": user.standing is Standing.SINGLE_CHANNEL_GUEST,
    }
    if user.standing is Standing.INVITED:
        shown["is_invited_user"] = True
    if user.team_id != workspace.team_id and user.enterprise_user_id is None:
        shown["is_stranger"] = not _shares_channel(workspace, user)
    return shown


def _shares_channel(workspace: Workspace, user: User) -> bool:
    both = {user.id, workspace.app.bot_user_id}
    return any(both <= channel.members for channel in workspace.channels())


def list_group_members(workspace: Workspace, args: Json) -> Json:
    """Answer usergroups.users.list: the deactivated and guests are on it like anybody else."""
    group = workspace.group(str(args.get("usergroup", "")))
    if group is None or (group.is_disabled and not is_true(args.get("include_disabled"))):
        raise Refused("no_such_subteam")
    return {"users": list(group.members)}


def list_groups(workspace: Workspace, args: Json) -> Json:
    """Answer usergroups.list."""
    with_users, with_count = is_true(args.get("include_users")), is_true(args.get("include_count"))
    shown = []
    for group in workspace.groups():
        if group.is_disabled and not is_true(args.get("include_disabled")):
            continue
        one = _shown_group(workspace, group)
        one |= {"users": list(group.members)} if with_users else {}
        one |= {"user_count": len(group.members)} if with_count else {}
        shown.append(one)
    return {"usergroups": shown}


def _shown_group(workspace: Workspace, group: UserGroup) -> Json:
    return {
        "id": group.id,
        "team_id": workspace.team_id,
        "is_usergroup": True,
        "name": group.at_name,
        "handle": group.at_name,
        "is_external": False,
        "date_delete": int(workspace.now()) if group.is_disabled else 0,
    }


def read_channel(workspace: Workspace, args: Json) -> Json:
    """Answer conversations.info."""
    channel = visible_channel(workspace, str(args.get("channel", "")))
    shown: Json = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": not channel.is_direct,
        "is_im": channel.is_direct,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": channel.is_pending_ext_shared,
        "is_member": workspace.app.bot_user_id in channel.members,
        "context_team_id": workspace.team_id,
    }
    if is_true(args.get("include_num_members")):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


def list_channel_members(workspace: Workspace, args: Json) -> Json:
    """Answer conversations.members, page by page: `next_cursor` is empty on the last one."""
    channel = visible_channel(workspace, str(args.get("channel", "")))
    cursor, limit = str(args.get("cursor") or "0"), str(args.get("limit") or PAGE)
    if not cursor.isdigit():
        raise Refused("invalid_cursor")
    if not limit.isdigit() or not 1 <= int(limit) <= PAGE_MAX:
        raise Refused("invalid_limit")
    members, start, end = sorted(channel.members), int(cursor), int(cursor) + int(limit)
    following = str(end) if end < len(members) else ""
    return {
        "members": members[start:end],
        "response_metadata": {"next_cursor": following},
    }


def visible_channel(workspace: Workspace, channel_id: str) -> Channel:
    """Return a channel that the bot can see.

    Raises:
        Refused: `channel_not_found`, also for a private channel without the bot in it.
    """
    channel = workspace.channel(channel_id)
    bot = workspace.app.bot_user_id
    if channel is None or (channel.is_private and bot not in channel.members):
        raise Refused("channel_not_found")
    return channel
