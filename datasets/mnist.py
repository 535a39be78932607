"""MNIST and Fashion-MNIST, each read from its four idx files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from deep_em_bench.datasets.base import (
    Dataset,
    Request,
    Source,
    check_choice,
    register,
    scale_pixels,
)
from deep_em_bench.datasets.download import OfficialFile, obtain, verify_all
from deep_em_bench.datasets.idx import read_labelled_images

__all__ = ["FASHION_MNIST", "MNIST", "IdxFamily", "fashion_mnist", "mnist"]

Split = Literal["train", "all"]

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclass(frozen=True, kw_only=True)
class IdxFamily:
    """Four idx files that make up one data set of 28x28 grey images in ten classes."""

    name: str
    sha256: tuple[str, str, str, str]
    """Digests of the files, in the order of FILES."""
    mirrors: tuple[str, ...]
    """Addresses of folders, with a slash at the end."""
    class_names: tuple[str, ...]
    where: str
    licence: str

    @property
    def files(self) -> list[OfficialFile]:
        """The files, in the order of FILES."""
        return [
            OfficialFile(
                path=f"{self.name}/{file}",
                sha256=sha256,
                mirrors=tuple(mirror + file for mirror in self.mirrors),
            )
            for file, sha256 in zip(FILES, self.sha256, strict=True)
        ]


MNIST = IdxFamily(
    name="mnist",
    sha256=(
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    class_names=tuple(str(digit) for digit in range(10)),
    where="Y. LeCun, C. Cortes, C. Burges: http://yann.lecun.com/exdb/mnist/",
    licence="CC BY-SA 3.0 (as commonly stated)",
)

FASHION_MNIST = IdxFamily(
    name="fashion_mnist",
    sha256=(
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
        "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    where="Zalando SE: https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
)


@register("mnist", title="MNIST", origin="download", shape=(1, 28, 28), n=60_000, n_classes=10)
def mnist(request: Request, *, split: Split = "train") -> Dataset:
    """MNIST: 60,000 handwritten digits and 10,000 held out, 28x28 pixels (LeCun et al., 1998).

    Arguments:
        split: "train" fits the 60,000; "all" fits all 70,000 and holds none out, as GAN-EM's
            released code does.
    """
    return _load(MNIST, request, split)


@register(
    "fashion_mnist",
    title="Fashion-MNIST",
    origin="download",
    shape=(1, 28, 28),
    n=60_000,
    n_classes=10,
)
def fashion_mnist(request: Request, *, split: Split = "train") -> Dataset:
    """Fashion-MNIST: 60,000 articles of clothing, 10,000 held out, 28x28 (Xiao et al., 2017).

    Arguments:
        split: "train" fits the 60,000; "all" fits all 70,000 and holds none out.
    """
    return _load(FASHION_MNIST, request, split)


def _load(family: IdxFamily, request: Request, split: Split) -> Dataset:
    check_choice("split", split, ("train", "all"))
    paths = [obtain(file, request.root) for file in family.files]
    X, y = _read(family, *paths[:2])
    X_test, y_test = _read(family, *paths[2:])
    sha256 = verify_all(family.files, paths)
    source = Source(where=family.where, licence=family.licence, sha256=sha256)
    if split == "all":
        X, y = np.concatenate([X, X_test]), np.concatenate([y, y_test])
        X_test = y_test = None
    return Dataset(
        name=family.name,
        X=X,
        y=y,
        X_test=X_test,
        y_test=y_test,
        class_names=family.class_names,
        source=source,
    )


def _read(family: IdxFamily, images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, 1, 28, 28)`` float32 in [0, 1] and labels ``(N,)`` int64."""
    grey, y = read_labelled_images(
        images, labels, size=(28, 28), n_classes=len(family.class_names)
    )
    return scale_pixels(grey[..., None]), y.astype(np.int64)
