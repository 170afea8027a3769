"""The vocabulary between the bot and a venue, and the manual for whoever writes an adapter.

Owns the words, the adapter protocols, and the `VenueError` tree. What signs is in
`adapters.signers`. Never does I/O, never knows a venue.

How to write an adapter, in seven rules:

1. Cancel and read every *order class* of the venue: each kind of order that has a call of its own.
   What cannot be read or cancelled at all is named in `Capabilities.blind_to`.
2. An acknowledgement is a `Receipt`, never a result. Only a `Reading` says what is on the book.
3. After the first byte of a call nothing is raised. A class that failed is a `Receipt` or an
   `Unread` that carries its `VenueError`.
4. An absent list, a half page, a reply unlike its model is `VenueReplyInvalid`, not "no orders". A
   list paged by number or offset moves while it is read: let its pages overlap
   (`adapters.synthetix_reading`); one that has moved is `has_more`, never clean.
5. No loop until flat, no retry, no sleep. `bot.flow.verify` owns control flow; `adapters.pacing`
   says when a call may leave; `adapters.link` obeys it.
6. A scope never widens, and no list of instruments narrows a reading: it may be old. What one call
   cannot express is done order by order.
7. Take a signer, never a key. Sign the very bytes that are sent; time comes in as an argument. The
   venue's clock is learnt from a call for it, or from its answers; the kit sets it 40 s off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any, NewType, Protocol, TypeVar

from pydantic import SecretStr
from typing_extensions import override

from adapters.signers import Signer

S = TypeVar("S", bound=Signer)
OrderClass = NewType("OrderClass", str)
"""One kind of order with its own way to cancel or read it, such as `linear` or `spot stop`."""


class Protective(Enum):
    """What a run does with stops, TP/SL, trailing and reduce-only orders."""

    CANCEL = "cancel"
    KEEP = "keep"


class Priority(IntEnum):
    """Who goes first when a budget is short; lower goes first."""

    CANCEL = 0
    READING = 1
    OTHER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which orders of one account a target names.

    Everything when `symbols` is empty and `order_id` is None; only orders of `symbols` otherwise;
    only the one order when `order_id` is given too (then `symbols` holds exactly its symbol).
    """

    symbols: tuple[str, ...] = ()
    """In the venue's own spelling, sorted, without duplicates."""
    order_id: str | None = None
    """The venue's order id or the client's own id."""
    protective: Protective = Protective.CANCEL
    classes_off: tuple[OrderClass, ...] = ()
    """Order classes that the config switches off; printed as "not covered"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """One order that the venue says is open."""

    order_class: OrderClass
    symbol: str
    order_id: str
    client_id: str = ""
    created: datetime | None = None
    """Venue time of creation, aware UTC; None if the venue does not say."""
    is_protective: bool = False
    """A stop, TP/SL, trailing or reduce-only order."""
    route: tuple[tuple[str, str], ...] = ()
    """Venue words that `cancel_orders` needs again, such as `(("orderFilter", "tpslOrder"),)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the venue said to one cancel call, or to one order of a batch. Evidence, not success."""

    order_class: OrderClass
    call: str
    """The call in a few words for a person, such as `cancel-all linear USDT`."""
    accepted: int | None = None
    """How many orders the venue says it accepted for cancelling; None if it does not say."""
    capped: bool = False
    """The venue's cap for one call was hit: more may rest."""
    error: VenueError | None = None
    """Why the cancel was not acknowledged; None means that the venue acknowledged it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An order class that a reading could not read, or could not read to its end."""

    order_class: OrderClass
    error: VenueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at all open orders in a scope."""

    orders: tuple[OpenOrder, ...] = ()
    unread: tuple[Unread, ...] = ()
    has_more: tuple[OrderClass, ...] = ()
    """Classes whose later pages were not asked for, because `pages_max` was reached."""

    @property
    def is_clean(self) -> bool:
        """Tell whether every class of the scope was read completely and nothing was found."""
        return not self.orders and not self.unread and not self.has_more


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What is known of a key: from the venue where it can say, else from the key and its document.

    Where every call names its account and the venue judges whether the key may act for it, no call
    need be spent on that before the first cancel.
    """

    accounts: tuple[str, ...]
    """The venue's ids of the accounts that the key is for; by `inspect()`, as the venue sees it."""
    can_cancel: bool | None = None
    """None where the venue does not say."""
    can_withdraw: bool | None = None
    is_read_only: bool | None = None
    bound_addresses: tuple[str, ...] = ()
    """Empty: not bound to an address."""
    expires: datetime | None = None
    warnings: tuple[str, ...] = ()
    """Sentences for an operator, such as "the key may transfer between wallets"."""
    subaccounts: tuple[str, ...] = ()
    """Ids of all accounts that the venue lists for the key's owner; only `inspect()` asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFacts:
    """What one fresh look at a venue has shown of it."""

    rtt_s: float
    skew_s: float | None
    """The venue's clock minus ours; None: the answer told no time."""
    skew_error_s: float = 0.0
    """How far `skew_s` may be off either way: half of `rtt_s`, and the grain of that clock."""
    skew_max_s: float = math.inf
    """What the venue tolerates; infinite: no call of ours carries a time."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an adapter can do, stated rather than discovered."""

    order_classes: tuple[OrderClass, ...]
    symbol_classes: tuple[OrderClass, ...]
    """Classes that a scope by symbol reaches; the others cannot be told apart by symbol."""
    blind_to: tuple[str, ...]
    """Sentences naming what this adapter cannot see. They stand beside every FLAT."""
    reread_after_s: float
    """Least seconds between the two clean readings that make FLAT."""
    has_upper_symbols: bool = True
    """The venue writes all symbols in capitals, so that typed ones are read so too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """The symbols that a venue lists, with the moment they were read."""

    symbols: frozenset[str]
    read_at: datetime


class Purpose(Enum):
    """What calls are made for: it decides how they queue for a budget."""

    RUN = "run"
    """Cancels go first, then readings; a share of every budget is kept for these."""
    LOOK = "look"
    """Previews, checks, instrument lists: they wait behind every run."""


def always() -> bool:
    """Say yes."""
    return True


class Venue(Protocol[S]):
    """A venue at one base URL, for the life of the process: what `connect()` yields."""

    @property
    def capabilities(self) -> Capabilities:
        """What every adapter of this venue can do."""
        ...

    @property
    def banned_until(self) -> datetime | None:
        """Until when the venue has shut out our address; None if it has not."""
        ...

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        """Return the symbols that the venue lists, from memory or disk; it is asked for what lacks.

        Raises:
            VenueError: the list cannot be had, or cannot be trusted to lack what is wanted.
        """
        ...

    def signer(self, secret: SecretStr) -> S:
        """Make the signer from a secret document (JSON text in the venue's own shape).

        Raises:
            VenueAuthRefused: the document lacks that shape; says which field, never a value.
        """
        ...

    def adapter(
        self, signer: S, *, uid: str, purpose: Purpose, may_send: Callable[[], bool] = always
    ) -> VenueAdapter:
        """Join this venue and a signer for the life of one run, preview or check.

        Args:
            signer: what `signer()` made.
            uid: the venue's own id of the account to act for.
            purpose: how its calls queue.
            may_send: asked right before each call is signed; if it says no, nothing is sent.
        """
        ...

    def reader(self, uid: str) -> VenueAdapter | None:
        """Return what can read this account without any key; None where nothing can."""
        ...

    async def look(self) -> VenueFacts:
        """Ask anew what needs no key: is the venue reachable, and what does its clock show.

        Raises:
            VenueError: it did not answer.
        """
        ...


AnyVenue = Venue[Any]
"""A venue, whatever signs there: its own `signer()` makes what its own `adapter()` takes."""


class VenueAdapter(Protocol):
    """One key, one run. The caller never overlaps two methods of one adapter."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        ...

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        """Cancel every order class in scope once, side by side: one round.

        Returns:
            A receipt for every class in scope, `accepted=0` where nothing was found. One by one at
            most some hundred orders a round; where more are left, a receipt is `capped`.
        """
        ...

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        """Cancel these orders, one receipt each, in the venue's batches."""
        ...

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        """Read all open orders in scope, at most `pages_max` pages of each class."""
        ...

    async def check(self) -> KeyFacts:
        """Say whose key this is and what it may do; asked before the first cancel of a run.

        Raises:
            VenueError: the venue did not answer; nothing is assumed.
        """
        ...

    async def inspect(self) -> KeyFacts:
        """Ask the venue all that it tells of the key, for `cancelall check`: never in a run.

        Raises:
            VenueError: the venue did not answer, or refuses the key.
        """
        ...


@dataclass(kw_only=True, eq=False)
class VenueError(Exception):
    """Something went wrong between us and a venue. The only family that leaves `adapters`.

    VenueError
    ├─ VenueNotReached      nothing was sent (DNS, connect, TLS)
    ├─ VenueOutcomeUnknown  sent, but no whole answer (timeout, reset, cut, 5xx)
    ├─ VenueReplyInvalid    an answer that does not match its model
    ├─ VenueRefused         understood and refused; the venue's code is kept
    ├─ VenueThrottled       too fast; `retry_after_s` says how long to wait
    ├─ VenueBanned          the venue has shut out our address until `until`
    └─ VenueAuthRefused     key, signature, clock or address refused
    """

    user_message: str
    """What happened, safe to show in Slack: no key, no signature, no body."""
    remedy: str = ""
    """What a person should do; empty if nothing helps but waiting."""
    venue_code: str = ""
    """The venue's own code, such as `10005`; empty if it gave none."""
    code: str = field(default="venue", init=False)
    retryable: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if type(self) is VenueError:
            raise TypeError("VenueError is abstract: raise one of its kinds")
        Exception.__init__(self, self.user_message)

    @override
    def __str__(self) -> str:
        return self.user_message


@dataclass(kw_only=True, eq=False)
class VenueNotReached(VenueError):
    """Nothing was sent: name lookup, connect or TLS failed, or a budget had no room in time."""

    code: str = field(default="venue_not_reached", init=False)


@dataclass(kw_only=True, eq=False)
class VenueOutcomeUnknown(VenueError):
    """The call was sent and no whole answer came. It may or may not have taken effect."""

    code: str = field(default="venue_outcome_unknown", init=False)


@dataclass(kw_only=True, eq=False)
class VenueReplyInvalid(VenueError):
    """The venue answered with something that does not match its model, perhaps under HTTP 200."""

    code: str = field(default="venue_reply_invalid", init=False)


@dataclass(kw_only=True, eq=False)
class VenueRefused(VenueError):
    """The venue understood the call and refused it."""

    is_retryable: bool = False
    code: str = field(default="venue_refused", init=False)

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        self.retryable = self.is_retryable


@dataclass(kw_only=True, eq=False)
class VenueThrottled(VenueError):
    """The venue says that we are too fast."""

    retry_after_s: float = 1.0
    code: str = field(default="venue_throttled", init=False)


@dataclass(kw_only=True, eq=False)
class VenueBanned(VenueError):
    """The venue has shut out our address. Calling again makes it worse."""

    until: datetime
    code: str = field(default="venue_banned", init=False)
    retryable: bool = field(default=False, init=False)


@dataclass(kw_only=True, eq=False)
class VenueAuthRefused(VenueError):
    """The venue refused the key, the signature, the clock or the address."""

    is_clock: bool = False
    """The timestamp was refused: measuring the clock again may help."""
    code: str = field(default="venue_auth_refused", init=False)
    retryable: bool = field(default=False, init=False)

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        self.retryable = self.is_clock
