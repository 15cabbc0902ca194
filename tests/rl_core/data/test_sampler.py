from hypothesis import given
from hypothesis import strategies as st

from rl_core.data.sampler import EpochSampler, growing_pool


@given(rows=st.integers(1, 50), seed=st.integers(0, 99), first=st.integers(0, 120), then=st.integers(0, 60))
def test_continuing_equals_never_having_stopped(rows: int, seed: int, first: int, then: int) -> None:
    whole = EpochSampler(rows, seed)
    expected = whole.take(first + then)
    part = EpochSampler(rows, seed)
    head = part.take(first)
    assert head + EpochSampler(rows, seed, part.drawn).take(then) == expected


@given(rows=st.integers(1, 50), seed=st.integers(0, 99))
def test_every_epoch_has_every_row_once_in_another_order(rows: int, seed: int) -> None:
    sampler = EpochSampler(rows, seed)
    epochs = [sampler.take(rows) for _ in range(3)]
    assert all(sorted(epoch) == list(range(rows)) for epoch in epochs)
    if rows > 20:
        assert epochs[0] != epochs[1]


@given(step=st.integers(1, 100), seed=st.integers(0, 99))
def test_the_pool_grows_from_the_easy_rows_to_all(step: int, seed: int) -> None:
    rows = growing_pool(1000, 0.1, step, 100, 20, seed)
    assert len(set(rows)) == 20
    # 100 rows at step 1, all 1000 from step 51 on, a straight line between
    assert max(rows) < min(1000, 100 + 18 * (step - 1))
    assert rows == growing_pool(1000, 0.1, step, 100, 20, seed)


def test_a_pool_smaller_than_the_batch_is_taken_whole() -> None:
    assert sorted(growing_pool(5, 0.1, 1, 10, 8, 0)) == [0, 1, 2, 3, 4]
