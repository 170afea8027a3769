"""The checks at the door of the sandbox's page, and on what a person sees and does there."""

from tests.soak.removal import Removal

SERVER, SIGHT, ACTS = (f"bot/sandbox/page/{name}.py" for name in ("server", "sight", "acts"))
DOOR = "tests/sandbox/test_page_server.py"
STREAM = "tests/sandbox/test_page_stream.py"
DEEDS = "tests/sandbox/test_page_acts.py"

REMOVALS = [
    Removal(
        check="a token that nobody guesses",
        path=SERVER,
        old="self.token = secrets.token_urlsafe(24)",
        new='self.token = "sandbox"',
        test=f"{DOOR}::test_the_token_is_too_long_to_guess_and_another_at_each_start",
    ),
    Removal(
        check="the token in the path of an act",
        path=SERVER,
        old='add_post(f"/{desk.token}/acts"',
        new='add_post("/{token}/acts"',
        test=f"{DOOR}::test_without_the_token_there_is_nothing_and_no_hint",
    ),
    Removal(
        check="the token in the path of the news",
        path=SERVER,
        old='add_get(f"/{desk.token}/events"',
        new='add_get("/{token}/events"',
        test=f"{DOOR}::test_without_the_token_there_is_nothing_and_no_hint",
    ),
    Removal(
        check="by which name the page is called",
        path=SERVER,
        old='if host.rpartition(":")[0] not in LOCAL and host not in LOCAL:',
        new="if False:",
        test=f"{DOOR}::test_whoever_calls_us_by_a_foreign_name_is_turned_away",
    ),
    Removal(
        check="the whole of that name",
        path=SERVER,
        old='if host.rpartition(":")[0] not in LOCAL and host not in LOCAL:',
        new="if not host.startswith(tuple(LOCAL)):",
        test=f"{DOOR}::test_whoever_calls_us_by_a_foreign_name_is_turned_away",
    ),
    Removal(
        check="from which page is posted",
        path=SERVER,
        old='origin != f"http://{host}" or ',
        new="",
        test=f"{DOOR}::test_another_page_cannot_post_here",
    ),
    Removal(
        check="a page that says nothing of where it is from does not post",
        path=SERVER,
        old='if origin != f"http://{host}" or',
        new='if origin not in {"", f"http://{host}"} or',
        test=f"{DOOR}::test_another_page_cannot_post_here",
    ),
    Removal(
        check="no form can post",
        path=SERVER,
        old=' or request.content_type != "application/json":',
        new=":",
        test=f"{DOOR}::test_what_a_form_could_post_is_refused",
    ),
    Removal(
        check="no script but the page's own runs",
        path=SERVER,
        old="script-src 'self';",
        new="script-src 'self' 'unsafe-inline';",
        test=f"{DOOR}::test_every_answer_carries_the_policy_and_tells_nobody_of_itself",
    ),
    Removal(
        check="no text becomes HTML",
        path=SERVER,
        old="\"require-trusted-types-for 'script'; trusted-types 'none'\"",
        new='""',
        test=f"{DOOR}::test_every_answer_carries_the_policy_and_tells_nobody_of_itself",
    ),
    Removal(
        check="the policy on every answer",
        path=SERVER,
        old="app.on_response_prepare.append(_dress)",
        new="pass",
        test=f"{DOOR}::test_every_answer_carries_the_policy_and_tells_nobody_of_itself",
    ),
    Removal(
        check="the page is this machine's",
        path=SERVER,
        old='web.TCPSite(runner, "127.0.0.1", 0)',
        new='web.TCPSite(runner, "0.0.0.0", 0)',
        test=f"{DOOR}::test_nobody_but_this_machine_reaches_the_page",
    ),
    Removal(
        check="only listed files",
        path=SERVER,
        old='path = self._files.get(request.match_info["file"])\n        if path is None:',
        new='path = Path(__file__).parent / request.match_info["file"]\n'
        "        if not path.is_file() or path.suffix not in TYPES:",
        test=f"{DOOR}::test_only_the_pages_own_files_are_served",
    ),
    Removal(
        check="how much is posted at once",
        path=SERVER,
        old="client_max_size=BODY_BYTES_MAX, ",
        new="",
        test=f"{DOOR}::test_a_body_that_is_too_large_is_not_read_to_its_end",
    ),
    Removal(
        check="whoever acts can sign in",
        path=SERVER,
        old="if not acts.can_act(self._stage.workspace, act.who):",
        new="if False:",
        test=f"{DOOR}::test_what_is_no_act_of_anybody_is_refused_and_does_nothing",
    ),
    Removal(
        check="a person sees the channels they are in",
        path=SIGHT,
        old="if who.id not in channel.members:",
        new="if False:",
        test=f"{STREAM}::test_a_person_sees_only_the_channels_they_are_in",
    ),
    Removal(
        check="a whisper is one person's",
        path=SIGHT,
        old="workspace.ephemerals(who.id):",
        new="[each for user in workspace.users() for each in workspace.ephemerals(user.id)]:",
        test=f"{STREAM}::test_nobody_sees_what_only_another_was_shown",
    ),
    Removal(
        check="a person speaks in the channels they are in",
        path=ACTS,
        old="if who is None or place is None or who.id not in place.members:",
        new="if who is None or place is None:",
        test=f"{DEEDS}::test_whoever_is_not_in_a_channel_says_nothing_there",
    ),
    Removal(
        check="what is typed mentions nobody by itself",
        path=ACTS,
        old="text = payloads.escaped_text(self._workspace, words)",
        new="text = words",
        test=f"{DEEDS}::test_what_is_typed_is_shown_and_never_obeyed",
    ),
    Removal(
        check="while Slack is down nothing leaves",
        path=ACTS,
        old="if self._outage.is_on:",
        new="if False:",
        test=f"{DEEDS}::test_while_slack_is_down_nothing_leaves_and_nothing_is_lost",
    ),
]
