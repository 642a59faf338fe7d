"""What the tiers hold after kill -9, full disks, torn files and clocks that go back, while passes run and hot changes.

`--suite tiers` kills QuestDB, PostgreSQL and the process of a pass so many times each, at moments that the seed
chooses. After each fault and the next pass nothing may be missing, twice, or half written.
"""

import random

import click

from config.settings import Settings
from launcher.commands.bench import Result, at_least, at_most
from launcher.report import Report
from tests.faults import full_disk, tiers

STARTS_ENGINES = True  # and kills them
SUITES = ("tiers",)
OPTIONS = [
    click.Option(["--suite"], type=click.Choice(SUITES), default="tiers", show_default=True, help="What is broken."),
    click.Option(
        ["--kills"], type=click.IntRange(1), default=50, show_default=True, help="Of each: QuestDB, PostgreSQL, a pass."
    ),
    click.Option(["--seed"], type=int, default=1, show_default=True, help="Chooses faults, moments and changes."),
]


def run(settings: Settings, say: Report, *, suite: str, kills: int, seed: int) -> Result:
    """Break what `suite` names; `settings` are of a data directory on which nothing runs."""
    assert suite in SUITES
    full_disk.private_mount(settings.data_dir.parent, "64k")  # what cannot be tried is said first, and is an error
    asked = tiers.faults(kills) + tiers.full_disks(kills)
    random.Random(seed).shuffle(asked)
    with tiers.scene(settings, seed, say) as scene:
        for number, (fault, told) in enumerate(asked, start=1):
            fault(scene, told)
            if number % 10 == 0:
                say(f"seed {seed}: {number} of {len(asked)} faults, wrong so far: {scene.wrong() or 'nothing'}")
        figures = scene.figures()
    return Result(
        name="faults",
        rounds=1,
        figures={"seed": seed, **figures},
        aims={
            **{name: at_most(figures[name], 0) for name in tiers.WRONG},
            **{f"kills_{victim}": at_least(figures[f"kills_{victim}"], kills) for victim in tiers.VICTIMS},
        },
    )
