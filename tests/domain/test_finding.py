"""Findings: their order, their lines, and what is new between two checks."""

from dataclasses import replace

from bot.checks.slate import Spot
from bot.domain import finding as findings
from bot.domain.finding import Checkup, Finding, Grade
from tests.policies.people import NOW

MM = Spot(part="account", about="mm", accounts=("mm",))
ARB = Spot(part="account", about="arb", accounts=("arb",))
VENUE = Spot(part="venue", about="bybit", accounts=("mm", "arb"))
SOON = MM.warning("expiry", "the key expires in 13 days", "Make a new one.")
DOWN = VENUE.blind("reached", "the venue cannot be reached", "Check DNS.")
FINE = VENUE.fine("reached", "answers in 20 ms")


def checkup(*found: Finding) -> Checkup:
    return Checkup(at=NOW, findings=found)


def test_the_worst_stands_first_and_the_count_last():
    assert findings.lines([FINE, SOON, MM.unknown("counts", "no read_key"), DOWN]) == [
        "wrong    venue    bybit: the venue cannot be reached. Check DNS.",
        "warning  account  mm: the key expires in 13 days. Make a new one.",
        "unknown  account  mm: no read_key.",
        "fine     venue    bybit: answers in 20 ms.",
        "",
        "1 wrong, 1 warning, 1 unknown, 1 fine: it would fail tonight.",
    ]


def test_parts_stand_in_the_order_in_which_a_run_needs_them():
    spots = [Spot(part=part) for part in reversed(findings.PARTS)]
    found = findings.arranged(spot.fine("x", spot.part) for spot in spots)
    assert [each.part for each in found] == list(findings.PARTS)


def test_what_is_the_same_of_several_accounts_is_one_line():
    many = [Spot(part="account", about=f"a{n}", accounts=(f"a{n}",)) for n in range(9)]
    (one,) = findings.arranged(spot.warning("x", "the key may withdraw") for spot in many)
    assert one.line == "warning  account  a0, a1, a2, a3, a4, a5 and 3 more: the key may withdraw."
    assert len(one.accounts) == 9


def test_a_sentence_ends_once_and_stays_on_its_line():
    assert Spot(part="keys").wrong("x", "Vault says\n no. ", " Ask it. ").words == (
        "Vault says no. Ask it."
    )


def test_only_what_changed_is_news_whatever_the_numbers():
    sooner = replace(SOON, text="the key expires in 12 days")
    over = MM.wrong("expiry", "the key expired")
    before = checkup(SOON, FINE)
    assert findings.change(before, checkup(sooner, FINE)) == findings.Change(new=(), gone=())
    assert findings.change(before, checkup(over, FINE)).new == (over,)
    assert findings.change(before, checkup(FINE)) == findings.Change(new=(), gone=(SOON,))
    assert findings.change(before, checkup(SOON, DOWN)).new == (DOWN,)
    assert findings.change(None, before) == findings.Change(new=(SOON,), gone=())


def test_what_could_not_be_looked_at_is_neither_gone_nor_new():
    before = checkup(SOON, FINE)
    dark = findings.following(before, checkup(DOWN))
    assert findings.change(before, dark) == findings.Change(new=(DOWN,), gone=())
    still = findings.following(dark, checkup(DOWN))
    assert findings.change(dark, still) == findings.Change(new=(), gone=())
    light = findings.following(still, checkup(SOON, FINE))
    assert findings.change(still, light) == findings.Change(new=(), gone=(DOWN,))
    mended = findings.following(still, checkup(FINE))
    assert findings.change(still, mended) == findings.Change(new=(), gone=(DOWN, SOON))


def test_what_another_account_hides_is_not_kept():
    blind = ARB.blind("key look", "the key is refused")
    assert findings.following(checkup(SOON), checkup(blind)).kept == ()
    assert findings.following(checkup(DOWN), checkup(blind)).kept == ()


def test_what_concerns_many_hides_no_account_s_own_finding():
    shared = Spot(part="policy", accounts=("mm", "arb")).warning("pull", "nobody could pull here")
    assert checkup(shared, SOON).of_account("mm") is SOON
    assert checkup(shared, SOON).of_account("arb") is shared


def test_the_worst_of_an_account_is_its_grade():
    found = checkup(FINE, SOON, ARB.fine("key owner", "the key is of this account"))
    assert found.of_account("mm") is SOON
    assert found.of_account("arb").grade is Grade.FINE
    assert found.of_account("else") is None
