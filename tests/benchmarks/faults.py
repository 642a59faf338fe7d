"""What is lost, doubled or half written when everything is broken on purpose: processes, disks, files, links, clocks.

`--suite tiers` kills QuestDB, PostgreSQL and the process of a pass so many times each while hot changes; after each
fault and the next pass nothing may be missing, twice, or half written. `--suite capture` kills the capture process so
many times while the simulator's market runs, and relay, QuestDB, files and the link a tenth as often; every trade that
the simulator delivered is stored once, or known to be missing. `--suite tape` does the same while the gap ledger is at
work: after the close every trade that the market made is stored once, each gap is filled, and every session is proven.
`--suite orders` has parts: `sends` breaks the order loop at every step, on a clock of its own; `limits` sends orders of
every kind past an observer who knows the limits; `drills` pulls the kill switch under load; `edits` tampers with the
journal; `kills` kills the process with an order in each state. No order doubled, none past a limit or the switch;
journal, broker and positions agree; every edit found.
"""

import random
from pathlib import Path

import click

from config.settings import Settings
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report
from tests.faults import capture, full_disk, orders_suite, spooling, tiers

STARTS_ENGINES = True  # and kills them
KILLS = {"tiers": 50, "capture": 200, "tape": 200}
AWAY_SECONDS = 60.0
OPTIONS = [
    click.Option(
        ["--suite"], type=click.Choice([*KILLS, "orders"]), default="tiers", show_default=True, help="What breaks."
    ),
    click.Option(
        ["--kills"],
        type=click.IntRange(1),
        default=None,
        help="tiers: of each, 50; capture and tape: 200; orders: of each part, else its full count.",
    ),
    click.Option(
        ["--part"],
        type=click.Choice(list(orders_suite.PARTS)),
        multiple=True,
        help="orders: these alone. " + ", ".join(f"{part.name} {part.count:,}" for part in orders_suite.PARTS.values()),
    ),
    click.Option(["--jobs"], type=click.IntRange(1), default=1, show_default=True, help="orders: processes at a time."),
    click.Option(
        ["--kept"],
        type=click.Path(dir_okay=False, path_type=Path),
        help="orders: what was played is kept here; a run with the same seed and file goes on.",
    ),
    click.Option(["--seed"], type=int, default=1, show_default=True, help="Chooses faults, moments and changes."),
]


def run(
    settings: Settings,
    say: Report,
    *,
    suite: str,
    kills: int | None,
    part: tuple[str, ...],
    jobs: int,
    kept: Path | None,
    seed: int,
) -> Result:
    """Break what `suite` names; `settings` are of a data directory on which nothing runs."""
    if suite == "orders":
        parts = [orders_suite.PARTS[name] for name in part or orders_suite.PARTS]
        asked = [(each, kills or each.count) for each in parts]
        totals = orders_suite.played(settings.data_dir / "orders", asked, seed, say, jobs=jobs, kept=kept)
        return _of_orders(totals, asked, seed)
    full_disk.private_mount(settings.data_dir.parent, "64k")  # what cannot be tried is said first, and is an error
    each_of = kills or KILLS[suite]
    figures, aims = {"tiers": of_tiers, "capture": of_capture, "tape": of_tape}[suite](settings, each_of, seed, say)
    return Result(
        name="faults",
        rounds=1,
        figures={"seed": seed, **figures},
        aims={
            **{name: at_most(figures[name], 0) for name, aim in aims.items() if aim == 0},
            **{name: at_least(figures.get(name, 0), aim) for name, aim in aims.items() if aim},
        },
    )


def _of_orders(totals: dict[str, orders_suite.Totals], asked: list[tuple[orders_suite.Part, int]], seed: int) -> Result:
    figures, aims = {"seed": float(seed)}, {}
    for part, count in asked:
        total = totals[part.name]
        figures |= {f"{part.name}_{name}": float(value) for name, value in (total.wrong | total.counts).items()}
        aims |= {f"{part.name}_{name}": at_most(total.wrong[name], 0) for name in part.wrong}
        aims |= {f"{part.name}_{name}": at_least(total.counts[name], count) for name in part.counted}
    return Result(name="faults", rounds=1, figures=figures, aims=aims)


def of_tiers(settings: Settings, kills: int, seed: int, say: Report) -> tuple[dict[str, int], dict[str, int]]:
    """The figures, and what each should be: 0, or at least so many."""
    asked = tiers.faults(kills) + tiers.full_disks(kills)
    random.Random(seed).shuffle(asked)
    with tiers.scene(settings, seed, say) as scene:
        for number, (fault, told) in enumerate(asked, start=1):
            fault(scene, told)
            if number % 10 == 0:
                say(f"seed {seed}: {number} of {len(asked)} faults, wrong so far: {scene.wrong() or 'nothing'}")
        figures = scene.figures()
    return figures, {**dict.fromkeys(tiers.WRONG, 0), **{f"kills_{victim}": kills for victim in tiers.VICTIMS}}


def of_capture(settings: Settings, kills: int, seed: int, say: Report) -> tuple[dict[str, int], dict[str, int]]:
    """The same of the capture process and all that follows it up to the store."""
    with capture.scene(settings, seed, say) as scene:
        _strike(scene, kills, seed, say)
        scene.settle()
        figures = {**scene.judge(), **scene.counts}
    disk = spooling.full_disk(settings.data_dir.parent / "full", settings.root)
    figures |= {"disk_full_untold": disk["given"] - disk["kept"] - disk["told"], "disk_full_told": disk["told"]}
    return figures, {**dict.fromkeys((*capture.WRONG, "disk_full_untold"), 0), **_struck(kills)}


def of_tape(settings: Settings, kills: int, seed: int, say: Report) -> tuple[dict[str, int], dict[str, int]]:
    """The same with the gap ledger: what was missing is back when the session is over."""
    with capture.scene(settings, seed, say, filling=True) as scene:
        _strike(scene, kills, seed, say)
        scene.close_market()
        scene.await_proof()
        figures = {**scene.judge_whole(), **scene.counts}
    return figures, {
        **dict.fromkeys(("doubled", "strange", *capture.UNFILLED), 0),
        "gaps_found": kills,
        **_struck(kills),
    }


def _strike(scene: capture.Scene, kills: int, seed: int, say: Report) -> None:
    asked = capture.faults(kills, AWAY_SECONDS)
    random.Random(seed).shuffle(asked)
    for number, fault in enumerate(asked, start=1):
        fault(scene)
        if number % 10 == 0:
            say(f"seed {seed}: {number} of {len(asked)} faults, {scene.delivered():,} trades delivered")


def _struck(kills: int) -> dict[str, int]:
    """At least so many of each fault."""
    tenth = max(kills // 10, 1)
    wanted = {"kills_realtime": kills, "kills_relay": tenth, "kills_questdb": tenth, "disconnects": kills // 4}
    wanted |= {"torn_tails": max(tenth // 2, 1), "ends": max(tenth // 2, 1), "questdb_away": 1}
    return wanted
