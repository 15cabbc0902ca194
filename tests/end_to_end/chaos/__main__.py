"""Strikes runs again and again, goes on with them, and compares what they made with an undisturbed run.

    python -m tests.end_to_end.chaos --events 100 --seed 0 [--until STAGE] [--no-ray] [--keep DIR]

Processes are killed and suspended, stages taken over by another host, disks filled, clocks set wrong, bits flipped, workspaces moved.
Each event and its moment is drawn by the seed and printed. Whatever happens, the end must be, bit for bit, what the undisturbed run made.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.end_to_end.chaos.site import STAGES
from tests.end_to_end.chaos.trial import WEIGHTS, run_chaos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=WEIGHTS, default=tuple(WEIGHTS))
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="the last stage (default: the report)")
    parser.add_argument("--no-ray", action="store_true", help="train in one process")
    parser.add_argument("--keep", type=Path, help="work there and leave it")
    options = parser.parse_args()
    began = time.time()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        report = run_chaos(
            options.events,
            options.seed,
            ray=not options.no_ray,
            folder=folder.resolve(),
            stages=STAGES[: STAGES.index(options.until) + 1],
            kinds=tuple(options.kinds),
        )
    print(report.table())
    print(f"drawn when there was nothing to strike: {dict(report.missed)}")
    print(f"{len(report.events)} events, {report.compared} things compared after each round, {time.time() - began:.0f} s")
    for number, fault in report.faults.items():
        print(f"round {number}: {fault}")
    return 1 if report.faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
