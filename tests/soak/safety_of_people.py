"""Safety checks of requests, votes and settings, with what takes each out and who notices."""

from tests.soak.removal import Removal

EVALUATE, LISTENERS = "policies/evaluate.py", "bot/slack/listeners.py"
DECIDE, REQUESTS = "bot/flow/decide.py", "bot/store/requests.py"
JUDGES, PRODUCT = "tests/policies/test_evaluate.py", "tests/test_cancelall.py"
VOTES, STORE = "tests/flow/test_decide.py", "tests/store/test_requests.py"

REMOVALS = [
    Removal(
        check="self-approval",
        path=EVALUATE,
        old="if same_person or same_user:",
        new="if False:",
        test=f"{JUDGES}::test_requester_never_counts_towards_quorum",
    ),
    Removal(
        check="distinct people",
        path=EVALUATE,
        old="newest[vote.actor.person_id] = vote",
        new="newest[vote.actor.user_id] = vote",
        test=f"{JUDGES}::test_one_person_under_two_user_ids_is_one",
    ),
    Removal(
        check="one seat a person",
        path=EVALUATE,
        old="if number not in taken or place(taken[number], tried):",
        new="if True:",
        test="tests/policies/test_quorum.py::test_matching_agrees_with_brute_force",
    ),
    Removal(
        check="the clicker's team, judged",
        path=EVALUATE,
        old="is_ours = actor.team_id in policy.workspaces",
        new="is_ours = True",
        test=f"{JUDGES}::test_outsider_never_counts",
    ),
    Removal(
        check="the clicker's team, read from the right place",
        path="bot/slack/payload.py",
        old='found = user.get("team_id")',
        new='found = (body.get("team") or {}).get("id")',
        test=f"{PRODUCT}::test_click_of_somebody_ineligible_cancels_nothing[outsider]",
    ),
    Removal(
        check="guest",
        path=EVALUATE,
        old="(actor.is_guest is not False,",
        new="(False,",
        test=f"{JUDGES}::test_guest_never_counts",
    ),
    Removal(
        check="unknown standing",
        path=EVALUATE,
        old="if actor.read_at is None or actor.groups is None:",
        new="if False:",
        test="tests/policies/test_quorum.py::test_unknown_standing_is_worth_nothing",
    ),
    Removal(
        check="binding to the request",
        path=EVALUATE,
        old="same_request = vote.request_id == ballot.request_id",
        new="same_request = True",
        test=f"{JUDGES}::test_vote_for_another_request_does_not_count",
    ),
    Removal(
        check="binding to the digest",
        path=EVALUATE,
        old="same_plan = vote.digest == ballot.digest",
        new="same_plan = True",
        test=f"{JUDGES}::test_vote_for_another_plan_does_not_count",
    ),
    Removal(
        check="lapse of an unconfirmed vote",
        path=DECIDE,
        old="return cast.actor.read_at is None and age_s > desk.limits.vote_wait_s",
        new="return False",
        test="tests/flow/test_decide.py"
        "::test_lapsed_vote_does_not_count_for_a_later_decision_but_a_new_click_does",
    ),
    Removal(
        check="the button's digest",
        path=DECIDE,
        old="if click.digest != request.digest:",
        new="if False:",
        test=f"{PRODUCT}::test_button_of_another_message_or_another_plan_does_nothing",
    ),
    Removal(
        check="the one live card",
        path=LISTENERS,
        old='if not is_card and container.get("is_ephemeral") is not True:',
        new="if False:",
        test=f"{PRODUCT}::test_button_of_another_message_or_another_plan_does_nothing",
    ),
    Removal(
        check="expiry",
        path=REQUESTS,
        old="or start.decided_at >= request.expires_at",
        new="",
        test=f"{STORE}::test_expired_request_cannot_start",
    ),
    Removal(
        check="compare-and-swap",
        path=REQUESTS,
        old=".where(table.c.id == request_id, table.c.state == expect.value)",
        new=".where(table.c.id == request_id)",
        test=f"{STORE}::test_two_deciding_votes_start_one_run",
    ),
    Removal(
        check="votes that came in between",
        path=REQUESTS,
        old="if judged != {_key(vote) for vote in _votes(connection, start.request_id)}:",
        new="if False:",
        test=f"{STORE}::test_start_loses_when_a_vote_has_come_since",
    ),
    Removal(
        check="a vote put in the place of a newer one",
        path=REQUESTS,
        old="if _key(before) not in standing:",
        new="if False:",
        test=f"{STORE}::test_confirming_never_brings_back_what_somebody_has_answered_before",
    ),
    Removal(
        check="a denial under either policy",
        path=DECIDE,
        old="if now.verdict is Verdict.DENIED or at_posting.verdict is Verdict.ALLOWED:",
        new="if at_posting.verdict is Verdict.ALLOWED:",
        test=f"{VOTES}::test_denial_that_only_todays_policy_admits_ends_the_request",
    ),
    Removal(
        check="a snapshot that was contradicted",
        path=DECIDE,
        old="return is_recent and not desk.people.is_contradicted(known)",
        new="return is_recent",
        test=f"{VOTES}::test_snapshot_that_something_heard_since_contradicts_never_stands_in",
    ),
    Removal(
        check="no start on an old click",
        path=DECIDE,
        old="if (desk.clock.now() - newest).total_seconds() <= desk.limits.vote_wait_s:",
        new="if True:",
        test=f"{VOTES}::test_nothing_starts_on_clicks_that_are_all_over_a_minute_old",
    ),
    Removal(
        check="a command of another workspace",
        path=LISTENERS,
        old='if body.get("team_id") != counter.team_id:',
        new="if False:",
        test="tests/test_hostile.py::test_command_from_another_workspace_is_refused",
    ),
    Removal(
        check="no card in a shared channel",
        path=LISTENERS,
        old="and not is_shared and",
        new="and",
        test="tests/test_hostile.py"
        "::test_card_goes_where_it_was_asked_for_unless_others_can_see_it",
    ),
    Removal(
        check="a redelivered denial",
        path="bot/slack/form.py",
        old='if "exchanged" in word:',
        new="if False:",
        test="tests/test_hostile.py::test_deny_that_is_delivered_twice_is_no_denial",
    ),
    Removal(
        check="Slack's signature before anything else",
        path="bot/web.py",
        old="if not _is_slacks(raw, request.headers, SignatureVerifier(deliveries.secret())):",
        new="if False:",
        test="tests/test_web.py::test_what_slack_did_not_sign_just_now_is_refused_and_noted",
    ),
    Removal(
        check="guests are told nothing in an outage",
        path=LISTENERS,
        old="    if asker.read_at is None:\n        return blocks.plain(\n"
        '            "Slack cannot say who you are right now, and guests',
        new="    if False:\n        return blocks.plain(\n"
        '            "Slack cannot say who you are right now, and guests',
        test="tests/test_hostile.py::test_guests_are_told_nothing_while_slack_cannot_say_who_asks",
    ),
    Removal(
        check="an outsider's clicks are one event",
        path=LISTENERS,
        old="    if not is_ours:\n",
        new="    if False:\n",
        test="tests/test_hostile.py"
        "::test_outsider_fills_the_chain_of_events_with_one_click_at_most",
    ),
    Removal(
        check="the signed workspace against the profile's",
        path="bot/slack/identity.py",
        old="known.is_stranger or team_id != known.team_id",
        new="known.is_stranger",
        test="tests/slack/test_identity.py"
        "::test_payload_and_profile_that_disagree_about_the_workspace_make_a_stranger",
    ),
    Removal(
        check="a report whose channel was closed",
        path="bot/slack/presenter.py",
        old="is_shut = under is None and refusal.error in NO_CHANNEL",
        new="is_shut = False",
        test="tests/slack/test_presenter.py"
        "::test_report_moves_to_the_incident_channel_when_the_cards_is_closed",
    ),
    Removal(
        check="the asker is read again where nobody else decides",
        path=DECIDE,
        old="    if judged.decision.counted:\n        return None\n",
        new="    if judged:\n        return None\n",
        test=f"{VOTES}::test_where_nobody_else_decides_the_asker_is_read_again",
    ),
    Removal(
        check="guests learn no names",
        path=LISTENERS,
        old="    if refusal := _no_asker(counter, requester):\n"
        "        return refusal\n    said = await ask.submit(",
        new="    said = await ask.submit(",
        test="tests/test_hostile.py::test_guests_learn_no_name_by_guessing_at_words",
    ),
    Removal(
        check="a scope of no class",
        path="bot/domain/plan.py",
        old="    _check_reach(targets)\n",
        new="",
        test="tests/domain/test_plan.py::test_every_account_out_of_reach_is_named_at_once",
    ),
    Removal(
        check="a reading key that cancels",
        path="bot/config.py",
        old="if part.read_key in cancelling:",
        new="if False:",
        test="tests/test_config.py::test_a_wrong_config_is_refused_in_one_line",
    ),
    Removal(
        check="an account without a rule",
        path="policies/model.py",
        old="if not any(rule.matches(account) for rule in policy.rules):",
        new="if False:",
        test="tests/policies/test_model.py::test_account_that_no_rule_covers_is_refused",
    ),
    Removal(
        check="a rule for an empty list",
        path="policies/model.py",
        old="accounts: tuple[str, ...] = Field(default=(), min_length=1)",
        new="accounts: tuple[str, ...] = ()",
        test="tests/policies/test_model.py::test_every_wrong_value_is_named_with_what_it_may_be",
    ),
    Removal(
        check="the bot's own workspace",
        path="bot/front.py",
        old="if me.team_id not in config.policy.workspaces:",
        new="if False:",
        test="tests/test_app.py::test_policy_without_the_workspace_of_the_bot_is_one_plain_error",
    ),
    Removal(
        check="a signing secret that is none",
        path="bot/config_secrets.py",
        old='if key == "slack.signing_secret" and not SIGNING_SECRET.fullmatch(text):',
        new="if False:",
        test="tests/test_config.py::test_what_slack_never_signs_with_is_refused_unseen",
    ),
    Removal(
        check="where the bot token goes",
        path="bot/wiring.py",
        old="return links.one_spelling(url)",
        new="return url.rstrip('/')",
        test="tests/test_app.py::test_slack_where_no_token_may_go_is_one_plain_error",
    ),
    Removal(
        check="keys at start",
        path="bot/app.py",
        old="            await _check_keys(config, keys)\n",
        new="",
        test="tests/test_app.py::test_keys_that_all_cannot_be_had_are_refused_at_start",
    ),
    Removal(
        check="a deciding vote is judged whatever breaks after it",
        path=DECIDE,
        old="    desk.doubt(request.id)  # Until it is judged",
        new="    # Until it is judged",
        test=f"{VOTES}::test_bug_after_the_deciding_vote_was_stored_keeps_nobody_from_starting",
    ),
    Removal(
        check="a write without an answer is looked for",
        path="bot/flow/desk.py",
        old="        desk.doubt(request_id)\n        raise",
        new="        raise",
        test=f"{VOTES}::test_deciding_vote_that_was_stored_too_late_to_be_heard_of_starts_the_run",
    ),
]
