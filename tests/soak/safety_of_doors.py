"""The checks on the way to keys, at the console, and on what reaches us from Slack."""

from tests.soak.removal import Removal

PULL = "tests/test_pull.py"
VAULT = "tests/keys/test_vault.py"
OUTAGES = "tests/keys/test_vault_outages.py"
SESSION = "tests/keys/test_vault_session.py"
SOCKET = "tests/slack/test_socket.py"

REMOVALS = [
    Removal(
        check="who may break the glass",
        path="policies/evaluate.py",
        old="if not any(actor.user_id in policy.roles[role].users for role in rule.break_glass)",
        new="if False",
        test=f"{PULL}::test_whoever_the_policy_does_not_list_is_refused",
    ),
    Removal(
        check="who sits at the console",
        path="bot/console.py",
        old="    if person is None:",
        new='    person = person or "U0ALICE"\n    if person is None:',
        test=f"{PULL}::test_whoever_the_config_does_not_map_is_refused",
    ),
    Removal(
        check="a pull needs a reason",
        path="bot/pull.py",
        old="if not (command.reason or command.is_dry_run):",
        new="if False:",
        test=f"{PULL}::test_a_pull_without_a_reason_is_refused",
    ),
    Removal(
        check="a chase that was stopped stays stopped",
        path="bot/store/pulls.py",
        old="                _heed(connection, entry)\n",
        new="                pass\n",
        test="tests/test_records.py::test_a_run_that_its_console_stopped_is_not_gone_on_with",
    ),
    Removal(
        check="a record that is not given may be a live console's",
        path="bot/store/pulls.py",
        old="frozenset(held) | self._unread",
        new="frozenset(held)",
        test="tests/test_records.py::test_a_record_that_the_disk_does_not_give_is_kept_and_its_run_left_alone",
    ),
    Removal(
        check="what may have ended is not begun again",
        path="bot/store/pulls.py",
        old="is_kept = record.has_ended(path) or ",
        new="is_kept = ",
        test="tests/test_records.py::test_a_run_that_may_be_over_or_anothers_is_shown_and_not_gone_on_with",
    ),
    Removal(
        check="a record speaks of its own pull",
        path="bot/store/pulls.py",
        old="if _is_of(entry, request.id))",
        new="if True)",
        test="tests/test_records.py::test_a_line_about_another_request_counts_for_nothing",
    ),
    Removal(
        check="who maps users is nobody",
        path="bot/console.py",
        old="if _is_mapped(uid_map) else name",
        new="if False else name",
        test="tests/test_console.py::test_whoever_maps_users_as_they_like_is_nobody_the_config_knows",
    ),
    Removal(
        check="one pull a person in ten minutes",
        path="bot/store/record.py",
        old="if abs(since) < BETWEEN and (",
        new="if False and (",
        test=f"{PULL}::test_one_person_pulls_once_in_ten_minutes",
    ),
    Removal(
        check="a dry run on the console sends nothing",
        path="bot/pull.py",
        old="        if command.is_dry_run:\n",
        new="        if False:\n",
        test=f"{PULL}::test_dry_run_sends_no_cancel_and_leaves_no_record",
    ),
    Removal(
        check="a run is its console's while that lives",
        path="bot/flow/tick.py",
        old="if request.id not in desk.on_console and await",
        new="if await",
        test=f"{PULL}::"
        "test_serve_shows_a_pull_at_once_and_leaves_it_to_its_console_while_that_lives",
    ),
    Removal(
        check="the lock that says that a console lives",
        path="bot/store/record.py",
        old="    try:\n        fcntl.flock(descriptor, fcntl.LOCK_EX)\n        with os.fdopen",
        new="    try:\n        with os.fdopen",
        test=f"{PULL}::"
        "test_serve_shows_a_pull_at_once_and_leaves_it_to_its_console_while_that_lives",
    ),
    Removal(
        check="no run is taken over that nobody may pull",
        path="bot/flow/glass.py",
        old="    return not why\n",
        new="    return True\n",
        test=f"{PULL}::test_what_a_killed_console_left_is_not_gone_on_with_against_the_policy",
    ),
    Removal(
        check="a record counts once",
        path="bot/store/pulls.py",
        old="        if deliveries.is_first(connection, group.id, request.id):\n",
        new="        if True:\n",
        test=f"{PULL}::test_a_record_counts_once_however_often_it_is_taken_up",
    ),
    Removal(
        check="the puller closes nothing",
        path="bot/flow/glass.py",
        old="if puller.user_id == actor.user_id or puller.person_id == actor.person_id:",
        new="if False:",
        test=f"{PULL}::"
        "test_serve_takes_a_pull_into_the_chain_and_posts_it_red_until_another_closes_it",
    ),
    Removal(
        check="what Vault denies no fallback serves",
        path="bot/keys/fallback.py",
        old="            if not error.retryable:\n                raise\n",
        new="",
        test="tests/keys/test_fallback.py::"
        "test_what_the_first_source_denies_is_never_served_by_the_fallback",
    ),
    Removal(
        check="no key from Vault in the clear",
        path="bot/wiring.py",
        old='        private_url(address, key="keys.vault.address", remedy="Write https://HOST:8200.")\n',
        new="",
        test="tests/test_config_production.py::test_no_key_comes_from_vault_in_the_clear",
    ),
    Removal(
        check="no root token of Vault",
        path="bot/keys/vault_login.py",
        old='if "root" in (policies or ()):',
        new="if False:",
        test=f"{VAULT}::test_root_token_is_refused",
    ),
    Removal(
        check="who made a wrapping token",
        path="bot/keys/vault_wrapping.py",
        old='reply is None or reply.wrapping.creation_path.strip("/") != wanted',
        new="reply is None",
        test=f"{VAULT}::test_wrapping_token_of_another_maker_is_not_opened",
    ),
    Removal(
        check="no redirect of Vault is followed",
        path="bot/keys/vault_line.py",
        old="allow_redirects=False,",
        new="allow_redirects=True,",
        test=f"{OUTAGES}::test_redirect_carries_nothing_to_another_host",
    ),
    Removal(
        check="the environment lends Vault's client nothing",
        path="bot/keys/vault_line.py",
        old="        session.trust_env = False\n",
        new="",
        test=f"{OUTAGES}::test_environment_lends_neither_token_nor_proxy_nor_password",
    ),
    Removal(
        check="a namespace is believed only if Vault names it",
        path="bot/keys/vault_login.py",
        old='if wanted and not self._is_echoed(heard) and namespace_path.strip("/") != wanted:',
        new="if False:",
        test=f"{OUTAGES}::test_namespace_is_believed_only_if_vault_names_it",
    ),
    Removal(
        check="a call to Vault that nobody waits for is cut",
        path="bot/keys/vault_line.py",
        old="                    self._sock.shutdown(socket.SHUT_RDWR)\n",
        new="                    pass\n",
        test=f"{OUTAGES}::test_server_that_does_not_end_holds_neither_the_read_nor_a_thread",
    ),
    Removal(
        check="a socket without hello is not trusted",
        path="bot/slack/websocket.py",
        old="return await client.is_connected() and self.heard.greeted is client.current_session",
        new="return await client.is_connected()",
        test=f"{SOCKET}::test_socket_without_hello_is_not_trusted",
    ),
    Removal(
        check="a ticket that died is not offered again",
        path="bot/slack/socket.py",
        old='    ticket, socket.ticket = socket.ticket, ""\n',
        new="    ticket = socket.ticket\n",
        test=f"{SOCKET}::test_ticket_that_died_is_not_offered_for_ever",
    ),
    Removal(
        check="a socket in the clear is not opened",
        path="bot/slack/socket.py",
        old="        if _is_private(url, client.base_url):\n",
        new="        if True:\n",
        test=f"{SOCKET}::test_url_that_is_none_of_a_socket_is_not_opened",
    ),
    Removal(
        check="readiness that nobody renews is none",
        path="bot/health.py",
        old="if age_s > self._old_s else",
        new="if False else",
        test="tests/test_health.py::test_nobody_asks_any_more_so_nothing_is_ready",
    ),
]
