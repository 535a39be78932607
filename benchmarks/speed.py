"""Speed, measured: a reference and the fast path side by side in one run, with their agreement.

``python -m benchmarks.speed gan_em``; every comparison is a module of its own beside this one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Literal

from benchmarks.options import count, guarded

__all__ = ["COMPARISONS", "main"]

Network = Literal["conv", "mlp"]
Comparison = Callable[[Network | None, str, int], str]
"""Takes nets (None: its own choice), device and rounds, where they apply; gives a table."""


def _gan_em(network: Network | None, device: str, rounds: int) -> str:
    from benchmarks.speed_gan_em import gan_em, rendered

    return rendered(gan_em(network=network or "conv", device=device, rounds=rounds))


def _ganmm(network: Network | None, device: str, rounds: int) -> str:
    from benchmarks.speed_ganmm import ganmm, rendered

    ways = (False, True) if device.startswith("cuda") else (False,)
    nets = network or "mlp"
    rows = [ganmm(network=nets, device=device, compile=c, rounds=rounds) for c in ways]
    return rendered(rows)


def _fid(network: Network | None, device: str, rounds: int) -> str:
    from benchmarks.speed_fid import fid, rendered

    return rendered(fid(rounds=rounds))


def _harness(network: Network | None, device: str, rounds: int) -> str:
    from benchmarks.speed_harness import harness, rendered

    return rendered(harness(rounds=rounds))


def _reports(network: Network | None, device: str, rounds: int) -> str:
    from benchmarks.speed_reports import rendered, reports

    return rendered(reports(rounds=rounds))


def _responsibility_gan(network: Network | None, device: str, rounds: int) -> str:
    from benchmarks.speed_responsibility import rendered, responsibility_gan

    return rendered(responsibility_gan(network=network or "conv", device=device, rounds=rounds))


COMPARISONS: dict[str, Comparison] = {
    "fid": _fid,
    "gan_em": _gan_em,
    "ganmm": _ganmm,
    "harness": _harness,
    "reports": _reports,
    "responsibility_gan": _responsibility_gan,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("what", choices=sorted(COMPARISONS))
    parser.add_argument("--network", choices=("conv", "mlp"), help="of those with nets")
    parser.add_argument("--device", default="cpu", help="of those with nets")
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--rounds", type=count, default=3)
    chosen = parser.parse_args(arguments)

    def run() -> int:
        import torch
        from threadpoolctl import threadpool_limits

        from methods.neural import resolve_device

        torch.set_num_threads(chosen.threads)
        device = str(resolve_device(chosen.device))
        with threadpool_limits(chosen.threads):
            table = COMPARISONS[chosen.what](chosen.network, device, chosen.rounds)
        print(f"{chosen.what}, {device}, {chosen.threads} threads")
        print(table)
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
