"""Which responses of a cell are asked for."""

from evals.cell_work import runs


def test_what_is_missing_is_asked_for_in_runs() -> None:
    """An endpoint that was interrupted may have answered any of a problem's samples; an engine here the first ones."""
    assert runs([0, 1, 2, 5, 7, 8]) == [(0, 3), (5, 1), (7, 2)]
    assert runs([4, 5]) == [(4, 2)]
    assert runs([]) == []
