"""A process that writes without end, to be killed: prints each round that it has flushed."""

import asyncio
import sys

from bot.flow.ports import Claim
from bot.store import engine
from tests.store import values


async def main(url: str) -> None:
    async with engine.open_store(url) as store:
        await values.running(store)
        for number in range(1_000_000):
            claim = Claim(key="keys/alpha", fence=1)
            store.journal.put(values.entry(claim, "alpha", rounds=number))
            if number % 7 == 0:
                await store.journal.flush()
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
