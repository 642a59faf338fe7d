"""The faults of `bench faults --suite tiers`, a few of each: after each one and the next pass all tiers agree."""

import random

import pytest

from launcher.report import Lines
from tests.faults import full_disk, tiers

KILLS = 3
SEED = 7
ASKED = tiers.faults(KILLS)
random.Random(SEED).shuffle(ASKED)


def named(fault: tiers.Fault) -> str:
    return f"{fault[0].__name__} {fault[1]}"


@pytest.fixture(scope="module")
def scene(settings_in, tmp_path_factory):
    with tiers.scene(settings_in(tmp_path_factory.mktemp("faults") / "data"), SEED, Lines()) as made:
        yield made


@pytest.mark.parametrize("fault", ASKED, ids=named)
def test_no_fault_loses_doubles_or_halves_a_row(scene, fault):
    done, told = fault
    done(scene, told)

    assert scene.wrong() == {}


@pytest.mark.parametrize("fault", tiers.full_disks(KILLS), ids=named)
def test_a_full_disk_leaves_nothing_half(scene, fault, tmp_path):
    try:
        full_disk.private_mount(tmp_path, "64k")
    except full_disk.NoPrivateMountError as error:
        pytest.skip(str(error))
    done, told = fault
    done(scene, told)

    assert scene.wrong() == {}
