"""What was typed after `/cancelall`, and nothing else.

Owns the grammar: `parse()`, `canonical()`, `usage()`. Pure; knows no account and no symbol. Nothing
is guessed: a word that does not fit is refused by name. An empty text asks for help and never
cancels; only the word `all` means all. What parses, parses again from its canonical form.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.errors import UsageError
from policies.explain import near

OPTIONS = ("--symbol", "--order", "--reason", "--dry-run")
VERBS = ("all", "status", "show", "withdraw", "policy", "help")
REASON_CHARS_MAX = 500
"""As many as the card shows."""
_QUOTES = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'"})
"""Phones write curly quotes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_REQUEST_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{4,6}")
_LONG_DASH = re.compile(r"^[\N{EN DASH}\N{EM DASH}](?=\w)")
"""Phones write one long dash for two short ones."""
_TOKEN = re.compile(r'\s*(?:"([^"]*)"|\'([^\']*)\'|([^\s"\'][^\s"]*))(?=\s|$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel orders: all, or what words and tags name, perhaps only symbols or one order."""

    is_all: bool = False
    words: tuple[str, ...] = ()
    """Names of accounts or venues, lower case, in the order typed."""
    tags: tuple[tuple[str, str], ...] = ()
    """All must match."""
    symbols: tuple[str, ...] = ()
    """As typed, sorted: venues differ in how they spell."""
    order: tuple[str, str] | None = None
    """(symbol, order id or client id)."""
    reason: str = ""
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is pending and running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """One request in full."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Take one's own pending request back."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """Which rules hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """How to use the command."""


Command = Cancel | Status | Show | Withdraw | PolicyText | Help


_QUESTIONS: Mapping[str, type[Help | Status | PolicyText]] = {
    "help": Help,
    "status": Status,
    "policy": PolicyText,
}


def parse(text: str, *, chars_max: int = 2000) -> Command:
    """Read a command.

    Raises:
        UsageError: says which word is wrong and what to type.
    """
    plain = _unescaped(text)
    _check_length(plain, chars_max)
    command = _read(_tokens(plain))
    # Written out, a bare reason gains its quotes and a long dash becomes two.
    _check_length(_unescaped(canonical(command)), chars_max)
    return command


def _unescaped(text: str) -> str:
    """Undo what Slack does to text: one character typed is one character counted."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _check_length(text: str, chars_max: int) -> None:
    if len(text) > chars_max:
        raise UsageError(
            user_message=f"The command has {len(text)} characters; {chars_max} are the limit.",
            remedy="Shorten the reason, or name a venue or tag instead of many accounts.",
        )


def _read(words: list[tuple[str, bool]]) -> Command:
    if not words:
        return Help()
    first = words[0][0].lower()
    match first:
        case "help" | "status" | "policy":
            _alone(words, first)
            return _QUESTIONS[first]()
        case "show":
            return Show(request_id=_request_id(words, first))
        case "withdraw":
            return Withdraw(request_id=_request_id(words, first))
        case _:
            return _cancel(words)


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Split into (text, was quoted), and undo what phones do to text."""
    plain = text.translate(_QUOTES)
    found: list[tuple[str, bool]] = []
    at = 0
    while plain[at:].strip():
        token = _TOKEN.match(plain, at)
        if token is None:
            raise UsageError(
                user_message=f"A quote does not close or touches a word: {plain[at:].strip()[:40]}",
                remedy='Write the reason as --reason "why".',
            )
        if token.group(3) is None:
            found.append((token.group(1) or token.group(2) or "", True))
        else:
            found.append((_LONG_DASH.sub("--", token.group(3)), False))
        at = token.end()
    return found


def _alone(words: list[tuple[str, bool]], verb: str) -> None:
    if len(words) > 1:
        raise UsageError(
            user_message=f'"{verb}" stands alone; "{words[1][0]}" does not belong to it.',
            remedy=f"Type /cancelall {verb}.",
        )


def _request_id(words: list[tuple[str, bool]], verb: str) -> str:
    """Read a request id as people say it: O is 0, I and L are 1."""
    if len(words) != 2:  # noqa: PLR2004 - the verb and its id
        raise UsageError(
            user_message=f'"{verb}" needs one request id.', remedy=f"Type /cancelall {verb} K7Q2M."
        )
    typed = words[1][0]
    found = typed.upper().translate(str.maketrans("OIL", "011"))
    if _REQUEST_ID.fullmatch(found) is None:
        raise UsageError(
            user_message=f'"{typed}" is not a request id.',
            remedy="It is the 4 to 6 letters and digits on the card.",
        )
    return found


def _cancel(words: list[tuple[str, bool]]) -> Cancel:
    is_all, names, tags, options = False, list[str](), list[tuple[str, str]](), dict[str, str]()
    tokens = iter(words)
    for token, was_quoted in tokens:
        if token.startswith("--") and not was_quoted:
            name, value = _option(token, tokens)
            if name in options:
                raise UsageError(
                    user_message=f'"{name}" stands twice.',
                    remedy="Give it once; symbols go BTC,ETH.",
                )
            options[name] = value
        elif valued := [name for name in options if name != "--dry-run"]:
            # `mm --reason bad bybit` must not come to mean all of bybit.
            raise UsageError(
                user_message=f'"{token}" stands after {valued[-1]}.',
                remedy='Name accounts first, symbols as BTC,ETH, a reason in quotes: --reason "…".',
            )
        elif token.lower() == "all":
            is_all = True
        elif "=" in token:
            tags.append(_tag(token))
        else:
            names.append(_name(token))
    _check_scope(is_all=is_all, named=[*names, *(f"{k}={v}" for k, v in tags)], options=options)
    return Cancel(
        is_all=is_all,
        words=tuple(dict.fromkeys(names)),
        tags=tuple(dict.fromkeys(tags)),
        symbols=_symbols(options["--symbol"]) if "--symbol" in options else (),
        order=_order(options["--order"]) if "--order" in options else None,
        reason=options.get("--reason", ""),
        is_dry_run="--dry-run" in options,
    )


def _option(token: str, rest: Iterator[tuple[str, bool]]) -> tuple[str, str]:
    """Read an option and its value; `--symbol=X` and `--symbol X` are the same."""
    name, equals, value = token.partition("=")
    if name not in OPTIONS:
        raise UsageError(
            user_message=f'"{name}" is not an option.',
            remedy=near(name, OPTIONS) or f"Options: {', '.join(OPTIONS)}.",
        )
    if name == "--dry-run":
        if equals:
            raise UsageError(user_message='"--dry-run" takes no value.', remedy="Drop it.")
        return name, ""
    if not equals:
        following = next(rest, None)
        value = "" if following is None or _is_option(following) else following[0]
    value = " ".join(value.split())
    if not value:
        raise UsageError(
            user_message=f'"{name}" has no value.', remedy=f"Type {name} {_EXAMPLES[name]}."
        )
    if name == "--reason" and len(value) > REASON_CHARS_MAX:
        raise UsageError(
            user_message=f"The reason has {len(value)} characters; "
            f"{REASON_CHARS_MAX} are the limit.",
            remedy="Shorten it.",
        )
    return name, value


_EXAMPLES = {"--symbol": "BTCUSDT,ETHUSDT", "--order": "BTCUSDT:123", "--reason": '"why"'}


def _is_option(token: tuple[str, bool]) -> bool:
    return token[0].startswith("--") and not token[1]


def _tag(token: str) -> tuple[str, str]:
    key, _, value = token.partition("=")
    if _NAME.fullmatch(key) is None or _NAME.fullmatch(value) is None:
        raise UsageError(user_message=f'"{token}" is not a tag.', remedy="Tags look like desk=mm.")
    return key.lower(), value.lower()


def _name(token: str) -> str:
    if _NAME.fullmatch(token) is None:
        raise UsageError(
            user_message=f'"{token}" is not the name of an account or venue.',
            remedy=near(token.lower(), (*VERBS, *OPTIONS))
            or "Names are letters, digits, dots and dashes; a reason goes after --reason.",
        )
    return token.lower()


def _check_scope(*, is_all: bool, named: Sequence[str], options: dict[str, str]) -> None:
    if is_all and named:
        raise UsageError(
            user_message=f'"all" and "{named[0]}" contradict each other.',
            remedy='Type one or the other. A reason of several words goes in quotes: --reason "…".',
        )
    if not is_all and not named:
        raise UsageError(
            user_message="No account, venue or tag is named.",
            remedy="Type /cancelall all, or name what to cancel.",
        )
    verbs = [word for word in named if word in VERBS]
    if verbs:
        raise UsageError(
            user_message=f'"{verbs[0]}" cannot stand beside other words.',
            remedy=f"Type /cancelall {verbs[0]}.",
        )
    if "--symbol" in options and "--order" in options:
        raise UsageError(
            user_message='"--symbol" and "--order" contradict each other.', remedy="Type one."
        )
    if "--order" in options and (is_all or len(named) > 1):
        raise UsageError(
            user_message='"--order" needs exactly one account.',
            remedy="Type /cancelall bybit-mm --order BTCUSDT:123.",
        )


def _symbols(value: str) -> tuple[str, ...]:
    found = [symbol.strip() for symbol in value.split(",")]
    for symbol in found:
        if _SYMBOL.fullmatch(symbol) is None:
            raise UsageError(
                user_message=f'"{symbol}" is not a symbol.',
                remedy="Type --symbol BTCUSDT,ETHUSDT, without spaces.",
            )
    return tuple(sorted(set(found)))


def _order(value: str) -> tuple[str, str]:
    symbol, _, order_id = value.partition(":")
    if _SYMBOL.fullmatch(symbol) is None or _ORDER_ID.fullmatch(order_id) is None:
        raise UsageError(
            user_message=f'"{value}" does not name an order.',
            remedy="Type --order SYMBOL:ID, such as BTCUSDT:123.",
        )
    return symbol, order_id


def canonical(command: Command) -> str:
    """Write a command in the one way that parses to it again."""
    if isinstance(command, Cancel):
        return " ".join(_parts(command))
    if isinstance(command, Show):
        return f"show {command.request_id}"
    if isinstance(command, Withdraw):
        return f"withdraw {command.request_id}"
    return next(word for word, kind in _QUESTIONS.items() if isinstance(command, kind))


def _parts(command: Cancel) -> list[str]:
    parts = ["all"] if command.is_all else list(command.words)
    parts += [f"{key}={value}" for key, value in command.tags]
    if command.symbols:
        parts.append(f"--symbol {','.join(command.symbols)}")
    if command.order is not None:
        parts.append(f"--order {command.order[0]}:{command.order[1]}")
    if command.reason:
        parts.append(f"--reason {_quoted(command.reason)}")
    if command.is_dry_run:
        parts.append("--dry-run")
    return parts


def _quoted(reason: str) -> str:
    """Quote a reason so that it reads back: it holds at most one kind of quote."""
    mark = "'" if '"' in reason else '"'
    return f"{mark}{html.escape(reason, quote=False)}{mark}"


def usage() -> str:
    """Say how to use the command."""
    return """\
/cancelall all                              every account that you may ask for
/cancelall bybit                            every account at a venue
/cancelall bybit-mm bybit-arb               accounts by name
/cancelall desk=mm env=prod                 accounts by tag (all tags must match)
/cancelall bybit --symbol BTCUSDT,ETHUSDT   only these symbols
/cancelall bybit-mm --order BTCUSDT:123     one order, by the venue's id or your own
    --reason "why"     shown to whoever approves
    --dry-run          counts what would be cancelled; sends no cancel
/cancelall status | show ID | withdraw ID | policy | help"""
