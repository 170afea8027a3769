"""Safety checks of a run and its venues, each with what takes it out and the test that notices."""

from tests.soak.removal import Removal

ADAPTER = "adapters/bybit_adapter.py"
VERIFY, EXECUTE, PACING = "bot/flow/verify.py", "bot/flow/execute.py", "adapters/pacing.py"
JOB = "bot/flow/job.py"
LOOP, RUN = "tests/flow/test_verify.py", "tests/flow/test_execute.py"
BYBIT = "tests/adapters/test_bybit.py"

REMOVALS = [
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
        old="if job.target.uid in facts.accounts:",
        new="if True:",
        test=f"{RUN}::test_swapped_key_sends_no_cancel_and_names_whose_key_it_is",
    ),
    Removal(
        check="consent end",
        path=JOB,
        old="return min(run.consent_end - clock.monotonic(), wall_s)",
        new="return min(run.consent_end - clock.monotonic(), wall_s) + 60",
        test=f"{RUN}::test_nothing_is_sent_after_consent_end",
    ),
    Removal(
        check="consent end on the wall clock",
        path=JOB,
        old="return min(run.consent_end - clock.monotonic(), wall_s)",
        new="return run.consent_end - clock.monotonic()",
        test=f"{RUN}::test_machine_that_slept_past_consent_end_sends_nothing_when_it_wakes",
    ),
    Removal(
        check="consent end on the monotonic clock",
        path=JOB,
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
        old="        if priority is Priority.READING:\n            return room",
        new="        if priority is not Priority.CANCEL:\n            return room",
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
        path="bot/wiring.py",
        old="gate=gates[name]",
        new="gate=Gate(kinds[name].address)",
        test="tests/test_outages.py::test_accounts_on_two_hosts_share_what_bybit_allows_an_address",
    ),
    Removal(
        check="an old list of settle coins",
        path="adapters/bybit_listing.py",
        old="self.linear_at is not None and now - self.linear_at <= COINS_GOOD",
        new="self.linear_at is not None",
        test="tests/adapters/test_bybit_list.py"
        "::test_an_old_list_does_not_vouch_for_being_all_of_the_settle_coins",
    ),
    Removal(
        check="a ban that does not say so",
        path="adapters/bybit_calls.py",
        old="self.link.shut(ban.until)",
        new="pass",
        test="tests/adapters/test_bybit_bans.py"
        "::test_a_ban_without_words_is_found_by_asking_the_time_once_and_shuts_this_host_alone",
    ),
    Removal(
        check="a target that an earlier process ended",
        path=EXECUTE,
        old="if claim is None or status.is_final:",
        new="if claim is None:",
        test="tests/flow/test_execute_restart.py"
        "::test_target_that_an_earlier_process_ended_is_left_alone",
    ),
    Removal(
        check="durable while the store stalls",
        path="bot/store/journal.py",
        old="QUICK_S = 0.05",
        new="QUICK_S = 60.0",
        test="tests/store/test_journal.py"
        "::test_what_was_told_is_durable_at_once_while_the_database_stalls",
    ),
    Removal(
        check="a cut letter costs no verdict",
        path="bot/store/journal.py",
        old="(_as_it_is, rows.mended, _without_event)",
        new="(_as_it_is, _without_event)",
        test="tests/store/test_journal.py"
        "::test_status_is_kept_whatever_its_event_or_the_venues_words_hold",
    ),
    Removal(
        check="the spool before INTERRUPTED",
        path="bot/flow/tick.py",
        old="elif not is_watched and now",
        new="elif now",
        test="tests/flow/test_tick.py::test_verdicts_still_in_the_journal_are_waited_for",
    ),
    Removal(
        check="an ended run is not taken up",
        path="bot/flow/tick.py",
        old="if now is None or now.state is not RequestState.RUNNING:",
        new="if now is None:",
        test="tests/flow/test_tick.py::test_run_that_ends_while_a_tick_looks_is_not_taken_up_again",
    ),
    Removal(
        check="a forged box while serving",
        path="bot/keys/sealed.py",
        old="in file.names.items() - held.names.items():",
        new="in ():",
        test="tests/keys/test_sealed_changes.py"
        "::test_file_that_breaks_while_the_bot_serves_takes_no_key_away",
    ),
    Removal(
        check="consent before every call",
        path="adapters/bybit_calls.py",
        old="if not self.may_send():",
        new="if False:",
        test=f"{BYBIT}::test_nothing_is_signed_once_consent_has_ended",
    ),
    Removal(
        check="consent reaches the adapter",
        path="bot/flow/prove.py",
        old="uid=job.target.uid, purpose=Purpose.RUN, may_send=job.may_send",
        new="uid=job.target.uid, purpose=Purpose.RUN",
        test=f"{RUN}::test_whenever_a_machine_wakes_no_round_leaves_after_consent_end",
    ),
    Removal(
        check="no call to a host once it is shut",
        path="adapters/link.py",
        old="                self._refuse_if_shut()  # It may",
        new="                # It may",
        test="tests/adapters/test_bybit_bans.py"
        "::test_whoever_waits_for_room_is_not_sent_once_the_host_is_shut",
    ),
    Removal(
        check="what was sent before a bug",
        path=EXECUTE,
        old="rounds=known.rounds, is_sent=known.is_sent, accepted=known.accepted",
        new="rounds=known.rounds, accepted=known.accepted",
        test="tests/flow/test_execute_faults.py::test_what_was_sent_before_a_bug_is_not_forgotten",
    ),
    Removal(
        check="a clean reading from before a bug",
        path=EXECUTE,
        old="            job.sight = verify.Sight(\n",
        new="            verify.Sight(\n",
        test="tests/flow/test_execute_faults.py"
        "::test_clean_reading_from_before_a_bug_is_not_one_of_two",
    ),
    Removal(
        check="a symbol that an old list lacks",
        path=ADAPTER,
        old="knows_coins = category != LINEAR or listing.vouches_for_coins(self.caller.link.now())",
        new="knows_coins = category != LINEAR or listing.linear_at is not None",
        test="tests/adapters/test_bybit_list.py"
        "::test_a_symbol_that_an_old_list_lacks_is_read_by_itself",
    ),
    Removal(
        check="a refused key is read again",
        path=EXECUTE,
        old="        if await verify.until_flat(pursuit):\n            return\n",
        new="        await verify.until_flat(pursuit)\n        return\n",
        test="tests/flow/test_execute.py"
        "::test_a_key_that_the_venue_refuses_is_read_again_and_a_better_one_is_used",
    ),
    Removal(
        check="a share of a budget that only cancels may use",
        path=PACING,
        old="room = self.size() - min(self.window.kept, self.size() // 2)",
        new="room = self.size()",
        test="tests/adapters/test_pacifica_credits.py",
    ),
    Removal(
        check="a cancel-all that may take a tagged account's orders",
        path="adapters/coinapi_adapter.py",
        old="return any(not rest[0].isalnum() for rest in after)",
        new="return False",
        test="tests/adapters/test_coinapi.py::test_an_exchange_account_without_a_tag_is_cancelled"
        "_one_by_one_beside_tagged_ones",
    ),
    Removal(
        check="an order whose symbol differs in capitals alone",
        path="adapters/coinapi_adapter.py",
        old="why = why or (replies.misspelt(near[0]) if near else None)",
        new="",
        test="tests/adapters/test_coinapi.py::test_order_whose_symbol_differs_in_capitals_alone_is"
        "_neither_cancelled_nor_overlooked",
    ),
    Removal(
        check="an exchange whose calls hang has a part of the places",
        path="adapters/coinapi_calls.py",
        old="windows = (wire.account(self.exchange_id), wire.holder(self.signer.budget_id))",
        new="windows = ()",
        test="tests/adapters/test_coinapi.py"
        "::test_an_account_whose_exchange_hangs_keeps_no_other_waiting",
    ),
    Removal(
        check="nonces are kept beyond the process",
        path="adapters/synthetix.py",
        old="counter=self.link.gate.nonces.counter(signer.budget_id, self.state_dir),",
        new="counter=self.link.gate.nonces.counter(signer.budget_id, None),",
        test="tests/adapters/test_synthetix_faults.py::test_nonces_survive_a_restart",
    ),
    Removal(
        check="keys are forgotten with the run",
        path=EXECUTE,
        old="                run.signers.clear()\n",
        new="",
        test="tests/flow/test_execute_restart.py"
        "::test_keys_are_forgotten_with_the_last_target_of_a_run",
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
