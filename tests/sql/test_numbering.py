import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql.numbering import BLOCK, Numbering, gaps_of, head_of, numbering_of, whole


def of(ids) -> Numbering:
    return numbering_of(np.array(sorted(ids), np.int64))


def left_out(found: Numbering) -> set[int]:
    return {n for hole in found.holes for n in range(hole.first, hole.last + 1, hole.step)}


@settings(deadline=None)
@given(
    step=st.sampled_from([1, 2, 5, 10, 100]),
    begin=st.integers(0, 500),
    count=st.integers(30, 3000),
    data=st.data(),
)
def test_what_was_taken_out_is_found_with_the_step(step, begin, count, data):
    every = [begin + step * n for n in range(1, count + 1)]
    taken = data.draw(st.sets(st.sampled_from(every[1:-1]), max_size=count // 4))
    found = of(set(every) - taken)

    assert found.step == step
    assert left_out(found) == taken
    assert found.missing == len(taken)
    assert whole(found.count, every[-1] - every[0], found.step) == (not taken)


@settings(deadline=None)
@given(st.lists(st.sampled_from([1, 5, 10]), min_size=2, max_size=5), st.integers(600, 3000), st.data())
def test_several_steps_in_one_session_are_no_holes(steps, each, data):
    ids = [10]
    for step in steps:
        ids += [ids[-1] + step * n for n in range(1, each + 1)]
    assert of(ids).holes == ()

    middle = data.draw(st.integers(BLOCK, each - BLOCK)) + each * data.draw(st.integers(0, len(steps) - 1))
    taken = ids.pop(middle)
    found = of(ids)

    assert left_out(found) == {taken}


def test_numbers_that_follow_no_step_have_no_holes():
    ids = np.cumsum(np.random.default_rng(7).integers(1, 1000, 5000))

    assert numbering_of(ids).step is None
    assert numbering_of(ids).holes == ()


def test_half_of_the_trades_lost_over_a_stretch_is_loss_and_not_another_step():
    every = np.arange(10, 200_000, 10)
    lost = every[(every > 60_000) & (every < 80_000) & (np.random.default_rng(3).random(len(every)) < 0.5)]
    found = numbering_of(np.setdiff1d(every, lost))

    assert found.step == 10
    assert left_out(found) == set(lost.tolist())


@pytest.mark.parametrize(("ids", "step"), [([], None), ([70], None), ([10, 20], 10), ([5, 6, 7, 8], 1)])
def test_few_numbers_tell_little(ids, step):
    assert of(ids).step == step
    assert of(ids).holes == ()


def test_the_head_is_what_would_come_before_the_first_number():
    assert head_of(of(range(10, 500, 10))) is None
    head = head_of(of(range(510, 900, 10)))
    assert head is not None
    assert (head.first, head.last, head.ids) == (10, 500, 50)
    assert head_of(of([])) is None


def test_a_part_of_a_hole_counts_its_own_numbers():
    (hole,) = of([*range(10, 300, 10), *range(400, 700, 10)]).holes
    inside = set(range(300, 400, 10))
    for low in range(280, 420, 3):
        for high in range(low, 430, 7):
            assert hole.within(low, high) == len([n for n in inside if low <= n <= high])


def test_holes_beside_each_other_are_one_gap():
    ids = np.array([n for n in range(10, 5000, 10) if n not in (500, 530, 3000)])

    assert [[hole.first for hole in gap] for gap in gaps_of(numbering_of(ids).holes, ids)] == [[500, 530], [3000]]


def test_six_million_numbers_take_little_room():
    ids = np.arange(1, 6_000_001) * 10
    ids = np.delete(ids, [5, 4_000_000])

    assert [hole.first for hole in numbering_of(ids).holes] == [60, 40_000_010]
