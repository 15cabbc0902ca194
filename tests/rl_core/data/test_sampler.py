from hypothesis import given
from hypothesis import strategies as st

from rl_core.data.sampler import EpochSampler


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
