"""Inception-v3 of the usual FID, from a weights file that the user names.

The architecture is that of Szegedy et al. 2016 in the variant of the TensorFlow graph of
2015-12-05: 1,008 outputs, average pools without padding, and a max-pool in the last block.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deep_em_bench.core import DataError

__all__ = ["FILE", "SHA256", "InceptionV3", "from_file"]

FILE = "pt_inception-2015-12-05-6726825d.pth"

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Digest of the file published at https://github.com/mseitzer/pytorch-fid, fid_weights."""

SIDE = 299
"""Side of the images after resizing."""

MOST_BYTES = 2**27
"""Largest size of the file; the published one has 95,628,359 bytes."""

Kernel = int | tuple[int, int]


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self, d_in: int, d_out: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(d_in, d_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(d_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed35(nn.Module):
    """Block of the 35x35 maps (Figure 5): 1x1, 5x5, two 3x3, pool."""

    def __init__(self, d_in: int, d_pool: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(d_in, 64, 1)
        self.branch5x5_1 = Conv(d_in, 48, 1)
        self.branch5x5_2 = Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Conv(d_in, 64, 1)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, padding=1)
        self.branch_pool = Conv(d_in, d_pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(_mean_pool(x)),
        ]
        return torch.cat(branches, dim=1)


class Reduce17(nn.Module):
    """From 35x35 to 17x17 (Figure 10)."""

    def __init__(self, d_in: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(d_in, 384, 3, stride=2)
        self.branch3x3dbl_1 = Conv(d_in, 64, 1)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], dim=1)


class Mixed17(nn.Module):
    """Block of the 17x17 maps (Figure 6): 1x1, factorised 7x7, two of those, pool."""

    def __init__(self, d_in: int, d: int) -> None:
        super().__init__()
        row, column = (0, 3), (3, 0)
        self.branch1x1 = Conv(d_in, 192, 1)
        self.branch7x7_1 = Conv(d_in, d, 1)
        self.branch7x7_2 = Conv(d, d, (1, 7), padding=row)
        self.branch7x7_3 = Conv(d, 192, (7, 1), padding=column)
        self.branch7x7dbl_1 = Conv(d_in, d, 1)
        self.branch7x7dbl_2 = Conv(d, d, (7, 1), padding=column)
        self.branch7x7dbl_3 = Conv(d, d, (1, 7), padding=row)
        self.branch7x7dbl_4 = Conv(d, d, (7, 1), padding=column)
        self.branch7x7dbl_5 = Conv(d, 192, (1, 7), padding=row)
        self.branch_pool = Conv(d_in, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branches = [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(_mean_pool(x)),
        ]
        return torch.cat(branches, dim=1)


class Reduce8(nn.Module):
    """From 17x17 to 8x8."""

    def __init__(self, d_in: int) -> None:
        super().__init__()
        self.branch3x3_1 = Conv(d_in, 192, 1)
        self.branch3x3_2 = Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Conv(d_in, 192, 1)
        self.branch7x7x3_2 = Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        branches = [
            self.branch3x3_2(self.branch3x3_1(x)),
            self.branch7x7x3_4(seven),
            F.max_pool2d(x, 3, 2),
        ]
        return torch.cat(branches, dim=1)


class Mixed8(nn.Module):
    """Block of the 8x8 maps (Figure 7); the last one of the graph pools by the maximum."""

    def __init__(self, d_in: int, *, max_pool: bool) -> None:
        super().__init__()
        self.max_pool = max_pool
        self.branch1x1 = Conv(d_in, 320, 1)
        self.branch3x3_1 = Conv(d_in, 384, 1)
        self.branch3x3_2a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Conv(d_in, 448, 1)
        self.branch3x3dbl_2 = Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Conv(d_in, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.max_pool else _mean_pool(x)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, dim=1)


class InceptionV3(nn.Module):
    """The whole net; its parts have the names of the weights file.

    Input ``(B, 1 or 3, H, W)`` in [0, 1], where a grey image has three equal channels. Output are
    the features of the last pool ``(B, 2048)`` and 1,008 logits, without bias as in the released
    code of the inception score.
    """

    d = 2048
    n_classes = 1008

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c = Mixed35(192, 32), Mixed35(256, 64)
        self.Mixed_5d = Mixed35(288, 64)
        self.Mixed_6a = Reduce17(288)
        self.Mixed_6b, self.Mixed_6c = Mixed17(768, 128), Mixed17(768, 160)
        self.Mixed_6d, self.Mixed_6e = Mixed17(768, 160), Mixed17(768, 192)
        self.Mixed_7a = Reduce8(768)
        self.Mixed_7b = Mixed8(1280, max_pool=False)
        self.Mixed_7c = Mixed8(2048, max_pool=True)
        self.fc = nn.Linear(self.d, self.n_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[2:] != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear")
        x = 2 * x.expand(-1, 3, -1, -1) - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (B, 64, 147, 147)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))  # (B, 192, 71, 71)
        x = F.max_pool2d(x, 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (B, 288, 35, 35)
        x = self.Mixed_6a(x)  # (B, 768, 17, 17)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (B, 2048, 8, 8)
        features = x.mean(dim=(2, 3))
        return features, features @ self.fc.weight.T


def from_file(path: Path) -> InceptionV3:
    """The net with the published weights.

    The file is a pickle. It is opened only if its digest is the published one, and then by torch's
    reader that makes nothing but tensors. Raises ``DataError`` for any other file.
    """
    content = _read(path)  # once: the hashed bytes are those that are parsed
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise DataError(
            f"{path} is not the Inception-v3 of the usual FID: its sha256 is {digest}, expected "
            f"{SHA256}; get {FILE} from the releases of https://github.com/mseitzer/pytorch-fid"
        )
    with torch.device("meta"):
        net = InceptionV3()
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(False)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(
                f"{path} has {size:,} bytes; expected at most {MOST_BYTES:,}, as {FILE} has"
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); expected {FILE} from the releases of "
            f"https://github.com/mseitzer/pytorch-fid"
        ) from error


def _mean_pool(x: Tensor) -> Tensor:
    """The mean over 3x3 neighbours without padding, as in TensorFlow."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
