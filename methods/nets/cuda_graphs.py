"""A training update as a CUDA graph: captured once, then one launch in place of hundreds.

The nets of this field are small: a GPU runs the kernels of an update faster than the host can
launch them one by one.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["GraphedUpdate"]

WARM_UP = 3
"""Updates before the capture: optimisers make their state, libraries choose algorithms."""


class GraphedUpdate:
    """``update`` on a GPU: run as it is at first, then captured, and from then on replayed.

    All three do the same work and draw the same numbers. A graph keeps the place in memory of any
    other tensor that ``update`` reads, and the value of any number: make a new graph when one of
    these is replaced.

    Arguments:
        update: takes tensors on the GPU and returns nothing; its results are added to tensors of
            the caller. The host must not wait for a value in it. Its optimisers are
            ``capturable``.
        generator: source of all its draws, on the GPU.
    """

    def __init__(self, update: Callable[..., None], generator: torch.Generator) -> None:
        self.update, self.generator = update, generator
        self.stream = torch.cuda.Stream(generator.device)
        self.warm = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, ...] = ()

    def __call__(self, *inputs: Tensor) -> None:
        """One update; all calls must have inputs of the same shapes."""
        if self.warm < WARM_UP:
            self.warm += 1
            self._on_own_stream(*inputs)
            return
        if self.graph is None:
            self.graph = self._captured(inputs)
        for captured, new in zip(self.inputs, inputs, strict=True):
            captured.copy_(new)
        self.graph.replay()

    def _on_own_stream(self, *inputs: Tensor) -> None:
        """Run the update on the stream of the capture, which a capture requires."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            self.update(*inputs)
        current.wait_stream(self.stream)

    def _captured(self, inputs: tuple[Tensor, ...]) -> torch.cuda.CUDAGraph:
        self.inputs = tuple(x.clone() for x in inputs)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        device = torch.cuda.device(self.stream.device)
        with device, _uncollected(), torch.cuda.graph(graph, stream=self.stream):
            self.update(*self.inputs)
        return graph


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: no other graph may be freed during a capture."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
