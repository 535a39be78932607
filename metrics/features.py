"""Feature extractors: one interface to the nets behind inception score, FID and KID.

``lenet``, for grey images, is trained on the data set's labels; ``squeezenet``, for colour images,
needs a file of pretrained weights; ``inception`` is used if a user names its weights. Only scores
of the same extractor with the same digest are comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import torch
from torch import nn

from deep_em_bench.core import DataError
from deep_em_bench.metrics import inception, lenet, squeezenet
from deep_em_bench.metrics.generation import Comparison, Summary, score_generation
from deep_em_bench.metrics.labelled import Labelled
from deep_em_bench.metrics.weights import weights_sha256

__all__ = ["Extractor", "disjoint_draws", "extractors", "floor", "net_folders"]

FOLDER = "feature_nets"


@dataclass(frozen=True, kw_only=True, eq=False)
class Extractor:
    """A frozen net that maps images to features and perhaps class probabilities."""

    name: str
    """"lenet", "squeezenet" or "inception", with which its metrics' names end."""
    d: int
    """Number of features."""
    n_classes: int | None
    """Number of classes of the inception score; None: the net has none."""
    sha256: str
    """Digest (hex) of all weights; scores with different ones are not comparable."""
    accuracy: float | None
    """Accuracy on held-out images of the data set; None for a net that was not trained on it."""
    channels: tuple[int, ...]
    """Possible numbers of channels of its images."""
    net: nn.Module
    device: torch.device
    batch: int = 256

    def describe(self) -> dict[str, Any]:
        """The facts that a record keeps: plain numbers and strings."""
        return {
            "name": self.name,
            "d": self.d,
            "n_classes": self.n_classes,
            "sha256": self.sha256,
            "accuracy": self.accuracy,
        }

    @torch.no_grad()
    def features(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Features ``(N, d)`` and class probabilities ``(N, n_classes)`` or None, both float32.

        Images are ``(N, C, H, W)``; values outside [0, 1], as some generators draw, are clipped.
        Raises ``ValueError`` for another shape, NaN or infinity.
        """
        images = self._checked(images)
        features, probabilities = [], []
        for part in torch.from_numpy(images).split(self.batch):
            of_part, logits = self.net(part.to(self.device).clamp(0, 1))
            features.append(of_part.float().cpu())
            if logits is not None:
                probabilities.append(logits.double().softmax(dim=1).float().cpu())
        if not features:
            none = None if self.n_classes is None else np.zeros((0, self.n_classes), np.float32)
            return np.zeros((0, self.d), np.float32), none
        return (
            torch.cat(features).numpy(),
            torch.cat(probabilities).numpy() if probabilities else None,
        )

    def summarise(
        self, images: np.ndarray, groups: np.ndarray | None = None, n_groups: int = 0
    ) -> tuple[Summary, tuple[Summary, ...]]:
        """The summary of all ``images``, and that of each of ``n_groups`` groups of them.

        ``groups`` ``(N,)`` integers in [0, n_groups) are the components that drew the images, or
        to which real images are assigned. Summaries of groups keep no rows: they need no kernel
        distance. Raises ``ValueError`` as :meth:`features`, and for groups out of range.
        """
        images = self._checked(images)
        if groups is not None and (
            groups.shape != (len(images),)
            or not np.issubdtype(groups.dtype, np.integer)
            or (len(groups) and not 0 <= groups.min() <= groups.max() < n_groups)
        ):
            raise ValueError(
                f"groups are {groups.dtype} {groups.shape}; expected integers ({len(images)},) in "
                f"[0, {n_groups})"
            )
        whole = Summary(self.d, self.n_classes)
        parts = tuple(Summary(self.d, self.n_classes, kept=0) for _ in range(n_groups))
        for start in range(0, len(images), self.batch):
            rows = slice(start, start + self.batch)
            features, probabilities = self.features(images[rows])
            whole.add(features, probabilities)
            of_rows = np.zeros(0) if groups is None else groups[rows]
            for k in np.unique(of_rows):
                own = of_rows == k
                parts[k].add(features[own], None if probabilities is None else probabilities[own])
        return whole, parts

    def _checked(self, images: np.ndarray) -> np.ndarray:
        images = np.asarray(images, dtype=np.float32)
        if images.ndim != 4 or images.shape[1] not in self.channels or 0 in images.shape[2:]:
            raise ValueError(
                f"images have shape {images.shape}; {self.name} expects (N, C, H, W) with C in "
                f"{self.channels}"
            )
        if not np.isfinite(images).all():
            raise ValueError("images have NaN or infinity; expected finite values in [0, 1]")
        return np.ascontiguousarray(images)


def extractors(
    data: Labelled,
    *,
    folders: Sequence[Path],
    device: str | torch.device = "cpu",
    inception_weights: Path | None = None,
) -> list[Extractor]:
    """The extractors for such images: ``lenet`` or ``squeezenet``, and perhaps ``inception``.

    Arguments:
        data: the whole training and held-out splits of the data set, never a subset: every run on
            it has the same extractor. Its labels train a LeNet or a linear head.
        folders: folders of trained nets; see :func:`net_folders`.

    Raises ``DataError`` for images of other than one or three channels, and for weights that are
    missing or unknown.
    """
    channels = data.X.shape[1]
    if channels == 1:
        net, arrays, accuracy = lenet.trained(data, folders)
    elif channels == 3:
        net, arrays, accuracy = squeezenet.with_head(data, folders)
    else:
        raise DataError(f"images of {channels} channels have no extractor; expected 1 or 3")
    place = torch.device(device)
    chosen = [
        Extractor(
            name="lenet" if channels == 1 else "squeezenet",
            d=net.d,
            n_classes=data.n_classes,
            sha256=weights_sha256(arrays),
            accuracy=accuracy,
            channels=(channels,),
            net=net.to(place),
            device=place,
        )
    ]
    if inception_weights is not None:
        whole = inception.from_file(inception_weights)
        chosen.append(
            Extractor(
                name="inception",
                d=whole.d,
                n_classes=whole.n_classes,
                sha256=inception.SHA256,
                accuracy=None,
                channels=(1, 3),
                net=whole.to(place),
                device=place,
                batch=32,
            )
        )
    return chosen


def net_folders(root: Path) -> tuple[Path, Path]:
    """The folders of nets in the data root and in the user's cache."""
    return root / FOLDER, Path(pooch.os_cache("deep-em-bench")) / FOLDER


def disjoint_draws(n_rows: int, n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint sets of row indices: ``n`` in each, or half of the rows if that is less.

    Raises ``ValueError`` for fewer than two rows in a set.
    """
    size = min(n, n_rows // 2)
    if size < 2:
        raise ValueError(
            f"two draws of {n} from {n_rows} rows; expected at least two rows for each draw"
        )
    order = np.random.default_rng(seed).permutation(n_rows)
    return np.sort(order[:size]), np.sort(order[size : 2 * size])


def floor(
    extractor: Extractor, images: np.ndarray, *, n: int, seed: int = 0
) -> tuple[dict[str, float], int]:
    """Every metric of real images against other real ones, and the number of images in each set.

    These are the scores of a perfect generator at that number: FID's floor is above 0, KID's is
    about 0. Compare them with generated images at the same number. Raises ``ValueError`` for too
    few images.
    """
    draws = disjoint_draws(len(images), n, seed=seed)
    real, fake = (extractor.summarise(images[rows])[0] for rows in draws)
    comparison = Comparison(extractor=extractor.name, real=real, fake=fake)
    return score_generation(comparison), len(draws[0])
