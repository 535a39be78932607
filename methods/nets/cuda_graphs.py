"""A training update as a CUDA graph: captured once, then one launch in place of hundreds.

The nets of this field are small: on a GPU an update's kernels take less time than the host needs
to launch them one by one.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["GraphedUpdate"]

WARM_UP = 3
"""Updates before the capture, in which optimisers make their state and libraries their plans."""


class GraphedUpdate:
    """``update`` on a GPU: run as it is at first, then captured, from then on replayed.

    All three do the same work and draw the same numbers. Everything that ``update`` reads besides
    its inputs, tensors by their place in memory and numbers by their value, stays as it was at the
    capture; so wherever one of these is replaced by another, make a new one.

    Arguments:
        update: from tensors on the GPU to nothing: what it finds out it adds to tensors of the
            caller. The host must not wait for a value in it. Optimisers in it are ``capturable``.
        generator: source of all its draws, on the GPU.
    """

    def __init__(self, update: Callable[..., None], generator: torch.Generator) -> None:
        self.update, self.generator = update, generator
        self.stream = torch.cuda.Stream(generator.device)
        self.warm = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, ...] = ()

    def __call__(self, *inputs: Tensor) -> None:
        """One update; every call has inputs of the same shapes."""
        if self.warm < WARM_UP:
            self.warm += 1
            self._aside(*inputs)
            return
        if self.graph is None:
            self.graph = self._captured(inputs)
        for held, new in zip(self.inputs, inputs, strict=True):
            held.copy_(new)
        self.graph.replay()

    def _aside(self, *inputs: Tensor) -> None:
        """On a stream of its own, as what is to be captured must run before."""
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
    """No garbage collection: to free another graph is not permitted during a capture."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
