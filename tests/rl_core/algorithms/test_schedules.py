import pytest

from rl_core.algorithms.schedules import value_at
from rl_core.config.rl import RlConfig
from rl_core.config.schedules import Schedule


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Schedule(schedule="constant", start=2.0), [2, 2, 2, 2, 2]),
        (Schedule(schedule="linear", start=1.0, end=0.0), [1, 0.75, 0.5, 0.25, 0]),
        (Schedule(schedule="linear", start=1.0, end=0.5), [1, 0.875, 0.75, 0.625, 0.5]),
        (Schedule(schedule="cosine", start=1.0, end=0.0), [1, 0.853553, 0.5, 0.146447, 0]),
        (Schedule(schedule="linear", start=1.0, end=0.0, warmup=2), [0.5, 1.0, 1.0, 0.5, 0.0]),
    ],
)
def test_by_hand(schedule: Schedule, values: list[float]) -> None:
    assert [value_at(schedule, step, 5) for step in range(5)] == pytest.approx(values, abs=1e-6)


def test_a_number_is_a_constant_and_peak_is_start() -> None:
    config = RlConfig.model_validate({"steps": 1, "learning_rate": "4e-7", "temperature": {"start": 0.9, "end": 0.7}})
    assert value_at(config.learning_rate, 0, 1) == 4e-7
    assert value_at(config.temperature, 9, 10) == pytest.approx(0.7)
    assert Schedule.model_validate({"peak": 3}).start == 3
