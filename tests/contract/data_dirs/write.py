"""Write what a `data_dir` of this version looks like: `python tests/contract/data_dirs/write.py VERSION`, once for each release.

An alarm that stands, messages that are open, a frame in the store and one that is not, something set aside, a token.
"""

from __future__ import annotations

import asyncio
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from support.apps import Running, running, write  # noqa: E402 - the path must be there first
from support.wait import eventually  # noqa: E402

from adapters.journal import Entry  # noqa: E402
from gateway.archive import Archive  # noqa: E402


async def live(config: Path, *values: float) -> None:
    """Run a gateway that takes these readings of GT-1 in, one of GT-2 and one of nobody."""
    async with running(config, "broker") as gateway:
        gateway.reads(*values)
        gateway.reads(5.0, name="GT-2")
        gateway.reads(1.0, name="GT-9")
        await eventually(lambda: settled(gateway))
        _, token = gateway.app.desk.tokens.create("li", gateway.app.clock.now(), 10**18)
        await gateway.app.journal.commit(Entry(tokens=[token]))


def settled(gateway: Running) -> bool:
    """Whether everything that came is on the disk."""
    balance = gateway.app.spool.balance()
    return balance.received > 0 and balance.pending == 0


def main(version: str) -> None:
    """Make the archive."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write(folder)
        asyncio.run(live(config, 10.0, 60.0))
        store = Archive(folder / "data", {"kind": "duckdb"})
        while store.drain():
            pass
        store.close()
        asyncio.run(live(config, 61.0))
        with tarfile.open(HERE / f"{version}.tar.xz", "w:xz") as made:
            for path in sorted((folder / "data").rglob("*")):
                if path.is_file() and path.name != "lock":
                    made.add(path, str(path.relative_to(folder / "data")))


if __name__ == "__main__":
    main(sys.argv[1])
