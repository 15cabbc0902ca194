from __future__ import annotations

import pytest

from evals.analytics.figures.plotting import WIDTH, head, new_canvas


@pytest.mark.parametrize(
    "labels",
    [
        ["right ones", "the others"],
        ["always solved", "sometimes solved", "never solved"],
        ["helps: wrong before, right after", "harms: right before, wrong after", "changes nothing"],
        ["Knights and Knaves, 3 people", "Knights and Knaves, 5 people", "Knights and Knaves", "MATH-500, Counting & Probability"],
        [f"a rather long name of a checkpoint or a benchmark, number {number}" for number in range(7)],
    ],
)
def test_a_legend_fits_into_its_figure(labels: list[str]) -> None:
    canvas = new_canvas()
    axes = canvas.add_subplot()
    for label in labels:
        axes.plot([0, 1], [0, 1], label=label)
    head(canvas, "Title")
    canvas.draw_without_rendering()
    [legend] = canvas.legends
    assert legend.get_window_extent().x1 <= WIDTH * canvas.dpi
