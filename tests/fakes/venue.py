"""A venue for the flow's tests: a small book behind the adapter protocol, with written lies."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from adapters.contract import (
    Capabilities,
    Instruments,
    KeyFacts,
    OpenOrder,
    OrderClass,
    Purpose,
    Reading,
    Receipt,
    Scope,
    Unread,
    VenueAuthRefused,
    VenueError,
    VenueFacts,
    VenueNotReached,
    always,
)
from bot.flow.ports import Clock

LINEAR = OrderClass("linear")
SPOT = OrderClass("spot")
PAGE = 50
CAPABILITIES = Capabilities(
    order_classes=(LINEAR, SPOT),
    symbol_classes=(LINEAR,),
    blind_to=("trading bots",),
    reread_after_s=0.5,
)


def order(order_id: str, *, order_class: OrderClass = LINEAR, **more: object) -> OpenOrder:
    return OpenOrder(order_class=order_class, symbol="BTCUSDT", order_id=order_id, **more)  # type: ignore[arg-type]


@dataclass
class Book:
    """One account at the fake venue. Every call takes `call_s` and is logged with its moment."""

    clock: Clock
    orders: list[OpenOrder] = field(default_factory=list)
    uid: str = "1001"
    call_s: float = 0.05
    slow: dict[str, float] = field(default_factory=dict)
    """Seconds of the calls of one name, where they are not `call_s`."""
    stuck: set[str] = field(default_factory=set)
    """Ids that no cancel-all removes."""
    is_by_id_heard: bool = False
    """Cancels by id remove what they name, stuck or not."""
    others: int = 0
    """Orders out of scope, which fill the first pages of a reading."""
    log: list[tuple[float, str]] = field(default_factory=list)
    check_error: VenueError | None = None
    inspected: KeyFacts | None = None
    """What `inspect()` tells; None: what `check()` does."""
    cancel_error: Callable[[int], VenueError | None] = lambda _: None
    """By number of the round, from 1."""
    read_error: Callable[[int], VenueError | None] = lambda _: None
    capped: Callable[[int], bool] = lambda _: False
    on_read: Callable[[int], None] = lambda _: None
    """Called before each reading with its number, to change the book."""
    on_cancel: Callable[[int], None] = lambda _: None
    rounds: int = 0
    readings: int = 0
    cancelled_ids: list[str] = field(default_factory=list)


OVER = VenueNotReached(user_message="consent has ended: nothing is sent any more")


@dataclass
class FakeAdapter:
    book: Book
    may_send: Callable[[], bool] = always
    capabilities: Capabilities = CAPABILITIES

    async def cancel_all(self, scope: Scope) -> tuple[Receipt, ...]:
        book = self.book
        if not self.may_send():
            return (Receipt(order_class=LINEAR, call="cancel-all linear", error=OVER),)
        book.rounds += 1
        await self._call("cancel_all")
        book.on_cancel(book.rounds)
        error = book.cancel_error(book.rounds)
        if error is None:
            gone = [o for o in book.orders if o.order_id not in book.stuck]
            book.orders = [o for o in book.orders if o.order_id in book.stuck]
        else:
            gone = []
        capped = book.capped(book.rounds)
        return (
            Receipt(
                order_class=LINEAR,
                call="cancel-all linear",
                accepted=None if error else len(gone),
                capped=capped,
                error=error,
            ),
        )

    async def cancel_orders(self, orders: Sequence[OpenOrder]) -> tuple[Receipt, ...]:
        if not self.may_send():
            return tuple(Receipt(order_class=LINEAR, call="cancel", error=OVER) for _ in orders)
        await self._call("cancel_orders")
        ids = [o.order_id for o in orders]
        self.book.cancelled_ids += ids
        if self.book.is_by_id_heard:
            self.book.orders = [o for o in self.book.orders if o.order_id not in ids]
        return tuple(Receipt(order_class=o.order_class, call="cancel") for o in orders)

    async def open_orders(self, scope: Scope, *, pages_max: int) -> Reading:
        book = self.book
        if not self.may_send():
            return Reading(unread=(Unread(order_class=LINEAR, error=OVER),))
        book.readings += 1
        book.on_read(book.readings)
        await self._call("open_orders")
        if error := book.read_error(book.readings):
            return Reading(unread=(Unread(order_class=LINEAR, error=error),))
        shown = max(0, pages_max * PAGE - book.others)
        has_more = (LINEAR,) if len(book.orders) + book.others > pages_max * PAGE else ()
        return Reading(orders=tuple(book.orders[:shown]), has_more=has_more)

    async def check(self) -> KeyFacts:
        if not self.may_send():
            raise OVER
        await self._call("check")
        if self.book.check_error is not None:
            raise self.book.check_error
        return KeyFacts(accounts=(self.book.uid,), can_cancel=True)

    async def inspect(self) -> KeyFacts:
        await self._call("inspect")
        if self.book.check_error is not None:
            raise self.book.check_error
        return self.book.inspected or KeyFacts(accounts=(self.book.uid,), can_cancel=True)

    async def _call(self, name: str) -> None:
        import asyncio

        self.book.log.append((self.book.clock.monotonic(), name))
        await asyncio.sleep(self.book.slow.get(name, self.book.call_s))


LOOKED = VenueFacts(rtt_s=0.02, skew_s=0.0, skew_error_s=0.01, skew_max_s=5.0)


@dataclass
class FakeSigner:
    api_key: str
    budget_id: str = "key-1"

    async def sign(self, message: bytes) -> str:
        return "signed"


@dataclass
class FakeVenue:
    """Opens the book whose name is the secret."""

    books: dict[str, Book]
    capabilities: Capabilities = CAPABILITIES
    banned_until: datetime | None = None
    public: dict[str, FakeAdapter] = field(default_factory=dict)
    """By UID: what anybody may read."""
    looked: VenueFacts = LOOKED
    look_error: VenueError | None = None

    async def instruments(self, wanted: Collection[str] = ()) -> Instruments:
        from tests.fakes.clock import EPOCH

        return Instruments(symbols=frozenset({"BTCUSDT", "ETHUSDT"}), read_at=EPOCH)

    def signer(self, secret: SecretStr) -> FakeSigner:
        if secret.get_secret_value() not in self.books:
            raise VenueAuthRefused(user_message="the document lacks api_key")
        return FakeSigner(api_key=secret.get_secret_value())

    def adapter(
        self,
        signer: object,
        *,
        uid: str,
        purpose: Purpose,
        may_send: Callable[[], bool] = always,
    ) -> FakeAdapter:
        assert isinstance(signer, FakeSigner)
        return FakeAdapter(self.books[signer.api_key], may_send)

    def reader(self, uid: str) -> FakeAdapter | None:
        return self.public.get(uid)

    async def look(self) -> VenueFacts:
        if self.look_error is not None:
            raise self.look_error
        return self.looked
