"""The command that times a reference and the fast path in turn, and says how far they agree."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from deep_em_bench.benchmarks.options import count
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser

__all__ = ["COMPARISONS", "main"]


def _gan_em(options: argparse.Namespace, device: str) -> str:
    from deep_em_bench.benchmarks.speed.gan_em import gan_em, rendered

    network = options.network or "conv"
    return rendered(gan_em(network=network, device=device, rounds=options.rounds))


def _ganmm(options: argparse.Namespace, device: str) -> str:
    from deep_em_bench.benchmarks.speed.ganmm import ON_A_CPU, ON_A_GPU, ganmm, rendered

    ways = ON_A_GPU if device.startswith("cuda") else ON_A_CPU
    fixed = {"network": options.network or "mlp", "device": device, "rounds": options.rounds}
    return rendered([ganmm(**fixed, **way) for way in ways])


def _responsibility_gan(options: argparse.Namespace, device: str) -> str:
    from deep_em_bench.benchmarks.speed.responsibility import rendered, responsibility_gan

    network = options.network or "conv"
    return rendered(responsibility_gan(network=network, device=device, rounds=options.rounds))


def _fid(options: argparse.Namespace, _: str) -> str:
    from deep_em_bench.benchmarks.speed.fid import fid, rendered

    return rendered(fid(rounds=options.rounds))


COMPARISONS: dict[str, Callable[[argparse.Namespace, str], str]] = {
    "fid": _fid,
    "gan_em": _gan_em,
    "ganmm": _ganmm,
    "responsibility_gan": _responsibility_gan,
}
"""Take the options and the device, and give a table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; the exit status."""
    options = _parser().parse_args(arguments)

    def run() -> int:
        import torch
        from threadpoolctl import threadpool_limits

        from deep_em_bench.methods.nets.runtime import resolve_device

        before = torch.get_num_threads()
        torch.set_num_threads(options.threads)
        try:
            device = str(resolve_device(getattr(options, "device", "cpu")))
            with threadpool_limits(options.threads):
                table = COMPARISONS[options.what](options, device)
        finally:
            torch.set_num_threads(before)
        print(f"{options.what}, {device}, {options.threads} threads\n{table}")
        return 0

    return guarded(run)


def _parser() -> CommandParser:
    parser = CommandParser("speed", description="A reference and the fast path, timed in turn.")
    what = parser.add_subparsers(dest="what", required=True)
    for name in COMPARISONS:
        comparison = what.add_parser(name)
        comparison.add_argument("--threads", type=count, default=1)
        comparison.add_argument("--rounds", type=count, default=3)
        if name != "fid":  # which has no nets
            comparison.add_argument("--network", choices=("conv", "mlp"))
            comparison.add_argument("--device", default="cpu")
    return parser


if __name__ == "__main__":
    sys.exit(main())
