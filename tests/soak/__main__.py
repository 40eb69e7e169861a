"""`make soak`: kills, stops and restarts everything under load, and says whether the promises held.

exit status: 0 they did; 1 one was broken, and which
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from soak.runs import Order, Row, Run, runs
from soak.table import table, write
from soak.verdict import Verdict
from support.figures import machine

WIDTH = 200
"""Of the table where it does not go to a terminal."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="Kill, stop and restart everything under load, and compare what came of it.")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the chance that picks moments and faults; default: a new one")
    parser.add_argument("--store", choices=["influxdb", "duckdb"], default="influxdb", help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=1000.0, metavar="N", help="messages a second; default: %(default)g")
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="of the gateway; default: %(default)s")
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="of each other single fault; default: %(default)s")
    parser.add_argument("--outage", type=float, default=10.0, metavar="MIN", help="of the store, and of the run without a fault; default: %(default)g")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="MIN", help="of everything at random; default: %(default)g")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the runs whose name contains this")
    parser.add_argument("--output", type=Path, default=Path("build/soak.md"), metavar="FILE", help="the table as Markdown; default: %(default)s")
    return parser.parse_args()


async def _play(run: Run, progress: Progress) -> Row:
    task = progress.add_task(run.name, total=1.0)

    def moved(share: float) -> None:
        progress.update(task, completed=share)

    try:
        return await run.play(name=run.name, progress=moved)
    except AssertionError as error:  # of `eventually`: what was waited for did not come
        return Row(run.name, 0, Verdict(), [], (0.0, 0.0), [f"not finished: {error}"])
    finally:
        moved(1.0)


async def _play_all(wanted: Sequence[Run], console: Console, done: Callable[[Sequence[Row]], None]) -> list[Row]:
    """Calls `done` after each with all that there is."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn(), TimeRemainingColumn())
    rows: list[Row] = []
    with Progress(*columns, console=console) as progress:
        for run in wanted:
            rows.append(await _play(run, progress))
            done(rows)
    return rows


def main() -> int:
    """Run it; the exit status."""
    arguments = _arguments()
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    order = Order(
        folder=Path(tempfile.mkdtemp(prefix="soak-")),
        seed=arguments.seed,
        rate=arguments.rate,
        influx=arguments.store == "influxdb",
        kills=arguments.kills,
        repeats=arguments.repeats,
        outage=arguments.outage * 60,
        everything=arguments.minutes * 60,
    )
    console.print(f"{machine()}\n{order.rate:g} messages/s, store {arguments.store}, --seed {order.seed}", soft_wrap=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    wanted = [run for run in runs(order) if arguments.only in run.name]
    rows = uvloop.run(_play_all(wanted, console, lambda rows: write(arguments.output, rows)))
    console.print(table(rows))
    for words in (words for row in rows for words in row.verdict.words):
        console.print(words, soft_wrap=True, highlight=False)
    broken = [promise for row in rows for promise in row.promises]
    for promise in broken:
        console.print(f"[bold red]broken[/]: {promise}", soft_wrap=True)
    if broken:
        console.print(f"What the gateway left is in {order.folder}.")
        return 1
    shutil.rmtree(order.folder)
    return 0


raise SystemExit(main())
