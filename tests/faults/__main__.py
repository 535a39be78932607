"""Disturb a tiny suite in every way there is, and see that no result is lost.

``python -m tests.faults --rounds 50`` prints what was done; exit status 0 if all of it was
survived. Scenarios that this machine does not allow are printed to be skipped.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.bench import ENGINES, Bench, engines_here, undisturbed
from tests.faults.kills import kill_rounds
from tests.faults.scenarios import SCENARIOS, SkippedError


def main() -> int:
    """Run what is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="kills at random moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="no round begins later")
    parser.add_argument("--engines", nargs="+", choices=sorted(ENGINES), help="default: all")
    parser.add_argument("--skip-scenarios", action="store_true")
    chosen = parser.parse_args()
    engines = chosen.engines or list(engines_here())
    # Under a shell's & it is ignored, by children too; the commands that are interrupted heed it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="deep-em-bench-faults-") as folder:
        whole = undisturbed(Path(folder, "undisturbed"))
        if not chosen.skip_scenarios:
            _scenarios(Path(folder), whole)
        started = time.perf_counter()
        tally = kill_rounds(
            Path(folder),
            whole,
            chosen.rounds,
            seed=chosen.seed,
            engines=tuple(engines),
            seconds=chosen.seconds,
            say=lambda line: print(line, flush=True),
        )
    print("\n".join(tally.lines()))
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


def _scenarios(folder: Path, whole: Bench) -> None:
    for name, scenario in SCENARIOS.items():
        started = time.perf_counter()
        try:
            printed = scenario(folder / name.replace(" ", "-"), whole)
        except SkippedError as reason:
            printed = f"SKIPPED: {reason}"
        print(f"{name}: {printed} ({time.perf_counter() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
