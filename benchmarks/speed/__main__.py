"""Speed, measured: a reference and the fast path side by side in one run, with their agreement.

``python -m benchmarks.speed gan_em``; every comparison is a module of its own beside this one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Literal

from deep_em_bench.benchmarks.options import count
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser

__all__ = ["OF_NETS", "OF_THE_REST", "main"]

Network = Literal["conv", "mlp"]


def _gan_em(network: Network | None, device: str, rounds: int) -> str:
    from deep_em_bench.benchmarks.speed.gan_em import gan_em, rendered

    return rendered(gan_em(network=network or "conv", device=device, rounds=rounds))


def _ganmm(network: Network | None, device: str, rounds: int) -> str:
    from deep_em_bench.benchmarks.speed.ganmm import ON_A_CPU, ON_A_GPU, ganmm, rendered

    ways = ON_A_GPU if device.startswith("cuda") else ON_A_CPU
    nets = network or "mlp"
    return rendered([ganmm(network=nets, device=device, rounds=rounds, **way) for way in ways])


def _responsibility_gan(network: Network | None, device: str, rounds: int) -> str:
    from deep_em_bench.benchmarks.speed.responsibility import rendered, responsibility_gan

    return rendered(responsibility_gan(network=network or "conv", device=device, rounds=rounds))


def _fid(rounds: int) -> str:
    from deep_em_bench.benchmarks.speed.fid import fid, rendered

    return rendered(fid(rounds=rounds))


def _harness(rounds: int) -> str:
    from deep_em_bench.benchmarks.speed.harness import harness, rendered

    return rendered(harness(rounds=rounds))


def _reports(rounds: int) -> str:
    from deep_em_bench.benchmarks.speed.reports import rendered, reports

    return rendered(reports(rounds=rounds))


OF_NETS: dict[str, Callable[[Network | None, str, int], str]] = {
    "gan_em": _gan_em,
    "ganmm": _ganmm,
    "responsibility_gan": _responsibility_gan,
}
"""Take nets (None: their own choice), device and rounds; give a table."""

OF_THE_REST: dict[str, Callable[[int], str]] = {
    "fid": _fid,
    "harness": _harness,
    "reports": _reports,
}
"""Take rounds, run on the processor, and give a table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; 0."""
    chosen = _parser().parse_args(arguments)

    def run() -> int:
        import torch
        from threadpoolctl import threadpool_limits

        from deep_em_bench.methods.nets.runtime import resolve_device

        torch.set_num_threads(chosen.threads)
        device = str(resolve_device(chosen.device)) if chosen.what in OF_NETS else "cpu"
        with threadpool_limits(chosen.threads):
            if chosen.what in OF_NETS:
                table = OF_NETS[chosen.what](chosen.network, device, chosen.rounds)
            else:
                table = OF_THE_REST[chosen.what](chosen.rounds)
        print(f"{chosen.what}, {device}, {chosen.threads} threads")
        print(table)
        return 0

    return guarded(run)


def _parser() -> argparse.ArgumentParser:
    """A sub-command a comparison, so that each takes the options that it heeds and no others."""
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--threads", type=count, default=1)
    every.add_argument("--rounds", type=count, default=3)
    of_nets = argparse.ArgumentParser(add_help=False, parents=[every])
    of_nets.add_argument("--network", choices=("conv", "mlp"))
    of_nets.add_argument("--device", default="cpu")
    made = CommandParser("speed", description="A reference and the fast path, timed in turn.")
    what = made.add_subparsers(dest="what", required=True, parser_class=argparse.ArgumentParser)
    for name in sorted({*OF_NETS, *OF_THE_REST}):
        what.add_parser(name, parents=[of_nets if name in OF_NETS else every])
    return made


if __name__ == "__main__":
    sys.exit(main())
