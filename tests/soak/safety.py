"""Every safety check, how to take it out, and the test that must then fail.

Run by `make soak`. A check whose removal no test notices is no check.
"""

from dataclasses import dataclass

ADAPTER = "adapters/bybit_adapter.py"
EVALUATE, LISTENERS = "policies/evaluate.py", "bot/slack/listeners.py"
DECIDE, VERIFY, EXECUTE = "bot/flow/decide.py", "bot/flow/verify.py", "bot/flow/execute.py"
REQUESTS, PACING = "bot/store/requests.py", "adapters/pacing.py"
JUDGES, PRODUCT = "tests/policies/test_evaluate.py", "tests/test_cancelall.py"
VOTES = "tests/flow/test_decide.py"
LOOP, RUN = "tests/flow/test_verify.py", "tests/flow/test_execute.py"
STORE, BYBIT = "tests/store/test_requests.py", "tests/adapters/test_bybit.py"


@dataclass(frozen=True)
class Removal:
    """One check taken out."""

    check: str
    path: str
    old: str
    new: str
    test: str
    """The node id of a test that must fail without the check."""


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
        path=LISTENERS,
        old='if "exchanged" in word:',
        new="if False:",
        test="tests/test_hostile.py::test_deny_that_is_delivered_twice_is_no_denial",
    ),
    Removal(
        check="second clean reading",
        path=VERIFY,
        old="        sight.clean_at = pursuit.clock.monotonic()\n        return\n",
        new="        sight.clean_at = -1e9\n",
        test=f"{LOOP}::test_one_clean_reading_is_not_flat",
    ),
    Removal(
        check="time between the clean readings",
        path=VERIFY,
        old="if began - sight.clean_at >= pursuit.adapter.capabilities.reread_after_s:",
        new="if True:",
        test=f"{LOOP}::test_clean_readings_too_close_together_are_one",
    ),
    Removal(
        check="a class unread",
        path="adapters/contract.py",
        old="return not self.orders and not self.unread and not self.has_more",
        new="return not self.orders and not self.has_more",
        test=f"{LOOP}::test_reading_that_could_not_read_a_class_starts_the_count_again",
    ),
    Removal(
        check="pages unread",
        path="adapters/contract.py",
        old="return not self.orders and not self.unread and not self.has_more",
        new="return not self.orders and not self.unread",
        test="tests/adapters/test_bybit_scopes.py"
        "::test_orders_out_of_scope_that_fill_the_first_page_do_not_make_it_clean",
    ),
    Removal(
        check="readings after FLAT",
        path=VERIFY,
        old="    if reading.orders:\n        sight.came_back",
        new="    if False:\n        sight.came_back",
        test=f"{LOOP}::test_order_that_comes_back_after_flat_resumes_the_chase",
    ),
    Removal(
        check="uid check",
        path="bot/flow/prove.py",
        old="if facts.account_uid == job.target.uid:",
        new="if True:",
        test=f"{RUN}::test_swapped_key_sends_no_cancel_and_names_whose_key_it_is",
    ),
    Removal(
        check="consent end",
        path=EXECUTE,
        old="return min(run.consent_end - clock.monotonic(), wall_s)",
        new="return min(run.consent_end - clock.monotonic(), wall_s) + 60",
        test=f"{RUN}::test_nothing_is_sent_after_consent_end",
    ),
    Removal(
        check="consent end on the wall clock",
        path=EXECUTE,
        old="return min(run.consent_end - clock.monotonic(), wall_s)",
        new="return run.consent_end - clock.monotonic()",
        test=f"{RUN}::test_machine_that_slept_past_consent_end_sends_nothing_when_it_wakes",
    ),
    Removal(
        check="consent end on the monotonic clock",
        path=EXECUTE,
        old="return min(run.consent_end - clock.monotonic(), wall_s)",
        new="return wall_s",
        test=f"{RUN}::test_wall_clock_that_is_set_back_prolongs_no_consent",
    ),
    Removal(
        check="a lease that was lost",
        path=EXECUTE,
        old="if claim != begun_with:",
        new="if False:",
        test="tests/flow/test_execute_restart.py"
        "::test_target_whose_lease_is_lost_is_let_go_without_a_verdict",
    ),
    Removal(
        check="a round on its way counts as sent",
        path=VERIFY,
        old="was_sent, sight.is_sent = sight.is_sent, True",
        new="was_sent = sight.is_sent",
        test="tests/flow/test_execute_faults.py"
        "::test_first_round_that_hangs_is_unverified_never_not_sent",
    ),
    Removal(
        check="budget reserve",
        path=PACING,
        old="if priority is not Priority.OTHER or self.size() == 1:",
        new="if True:",
        test="tests/adapters/test_pacing.py::test_thirty_percent_of_a_budget_is_kept_for_runs",
    ),
    Removal(
        check="counting from the answer",
        path=PACING,
        old="budget.on_the_way += cost",
        new="budget.on_the_way += 0",
        test="tests/adapters/test_pacing.py::test_venue_never_counts_more_than_its_limit",
    ),
    Removal(
        check="one budget for all hosts of a venue",
        path="bot/app.py",
        old="gate=gates[name]",
        new="gate=Gate(kinds[name].address)",
        test="tests/test_outages.py::test_accounts_on_two_hosts_share_what_bybit_allows_an_address",
    ),
]
CANCELLED = [
    "linear",
    "inverse",
    "option",
    "spot",
    "spot stop",
    "spot tp/sl",
    "spot oco",
    "spot bidirectional tp/sl",
    "spread",
    "rfq",
    "quote",
    "strategy",
]
READ = ["linear", "inverse", "option", "spot", "spread", "rfq", "quote", "strategy"]
REMOVALS += [
    Removal(
        check=f"cancelling {name}",
        path=ADAPTER,
        old="        for order_class in readings.classes_of(scope):\n",
        new="        for order_class in readings.classes_of(scope):\n"
        f'            if order_class == "{name}":\n                continue\n',
        test=f"{BYBIT}::test_cancel_all_takes_the_class[{name}]",
    )
    for name in CANCELLED
]
REMOVALS += [
    Removal(
        check=f"reading {name}",
        path=ADAPTER,
        old="        classes = readings.classes_of(scope)\n        found: list[Series] = []\n",
        new="        classes = [\n            each for each in readings.classes_of(scope)\n"
        f'            if not each.startswith("{name}")\n        ]\n'
        "        found: list[Series] = []\n",
        test=f"{BYBIT}::test_reading_shows_the_class[{name}]",
    )
    for name in READ
]
