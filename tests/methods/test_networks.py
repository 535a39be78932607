"""The nets: the papers' tables layer by layer, shapes at every side, first weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from deep_em_bench.methods.nets.networks import encoder, generator, initialise, resolve_kind

CPU = torch.device("cpu")


def g_net(
    side: int, channels: int = 1, *, d_in: int = 72, hidden: Sequence[int] = (), width: float = 1.0
) -> nn.Sequential:
    shape = (channels, side, side)
    with torch.device("meta"):
        return generator(
            "conv",
            d_in,
            shape,
            hidden=hidden,
            width=width,
            activation="relu",
            output=nn.Sigmoid(),
        )


def e_net(
    side: int,
    channels: int = 1,
    *,
    d_out: int = 10,
    width: float = 1.0,
    batch_norm: bool = True,
    bottleneck: int | None = None,
) -> nn.Sequential:
    with torch.device("meta"):
        return encoder(
            "conv",
            (channels, side, side),
            d_out,
            hidden=(),
            width=width,
            batch_norm=batch_norm,
            bottleneck=bottleneck,
        )


def dense_net(kind: Literal["generator", "encoder"], shape: Sequence[int]) -> nn.Sequential:
    with torch.device("meta"):
        if kind == "generator":
            return generator(
                "mlp",
                5,
                shape,
                hidden=(7, 6),
                width=1.0,
                activation="leaky_relu",
                output=nn.Identity(),
            )
        return encoder("mlp", shape, 4, hidden=(7, 6), width=1.0, batch_norm=True)


def layers(net: nn.Module) -> list[str]:
    """All but activations, in the papers' words: ``conv 1-64 4/2/1`` is kernel/stride/padding."""
    found = []
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            kind = "conv" if isinstance(part, nn.Conv2d) else "deconv"
            shape = f"{part.kernel_size[0]}/{part.stride[0]}/{part.padding[0]}"
            found.append(f"{kind} {part.in_channels}-{part.out_channels} {shape}")
        elif isinstance(part, nn.Linear):
            found.append(f"fc {part.in_features}-{part.out_features}")
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            found.append("bn")
    return found


def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_table_4_generator_as_released() -> None:
    net = g_net(28, hidden=(1024,))
    assert layers(net) == [
        *("fc 72-1024", "bn", "fc 1024-6272", "bn"),
        *("deconv 128-64 4/2/1", "bn", "deconv 64-1 4/2/1"),
    ]
    assert size(net) == 6_650_433


def test_table_4_generator_as_printed() -> None:
    net = g_net(28)
    assert layers(net) == ["fc 72-6272", "bn", "deconv 128-64 4/2/1", "bn", "deconv 64-1 4/2/1"]
    assert size(net) == 72 * 6272 + 3 * 6272 + 128 * 64 * 16 + 3 * 64 + 64 * 16 + 1


@pytest.mark.parametrize("units", [10, 11])
def test_table_4_discriminator_and_e_net(units: int) -> None:
    net = e_net(28, d_out=units)
    assert layers(net) == [
        *("conv 1-64 4/2/1", "bn", "conv 64-128 4/2/1", "bn", "conv 128-256 4/2/1", "bn"),
        *("fc 2304-1024", "bn", f"fc 1024-{units}"),
    ]
    convolutions = 16 * (64 + 64 * 128 + 128 * 256) + 3 * (64 + 128 + 256)
    assert size(net) == convolutions + 2304 * 1024 + 3 * 1024 + units * 1025
    assert round(size(net) / 1e6, 2) == 3.03


def test_table_5_nets_at_side_32() -> None:
    assert layers(g_net(32, 3)) == [
        *("fc 72-2048", "bn", "deconv 128-64 4/2/1", "bn", "deconv 64-32 4/2/1", "bn"),
        "deconv 32-3 4/2/1",
    ]
    assert layers(e_net(32, 3, d_out=11)) == [
        *("conv 3-64 4/2/1", "bn", "conv 64-128 4/2/1", "bn", "conv 128-256 4/2/1", "bn"),
        *("fc 4096-1024", "bn", "fc 1024-11"),
    ]


def test_table_6_nets_at_side_64() -> None:
    assert layers(g_net(64, 3, d_in=300)) == [
        *("fc 300-16384", "bn"),  # a stride-1 transposed convolution of a 1x1 map, to 1024x4x4
        *("deconv 1024-512 4/2/1", "bn", "deconv 512-256 4/2/1", "bn"),
        *("deconv 256-128 4/2/1", "bn", "deconv 128-3 4/2/1"),
    ]
    assert layers(e_net(64, 3, d_out=3)) == [
        *("conv 3-128 4/2/1", "bn", "conv 128-256 4/2/1", "bn"),
        *("conv 256-512 4/2/1", "bn", "conv 512-1024 4/2/1", "bn"),
        *("conv 1024-3 4/1/0", "bn", "fc 3-3"),
    ]


@pytest.mark.parametrize("side", range(8, 65, 4))
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_at_every_side(side: int, channels: int) -> None:
    shape = (5, channels, side, side)
    assert g_net(side, channels)(torch.empty(5, 72, device="meta")).shape == shape
    assert e_net(side, channels)(torch.empty(shape, device="meta")).shape == (5, 10)


@pytest.mark.parametrize("shape", [(9,), (1, 8, 8), (3, 5, 7)])
def test_fully_connected_nets_take_any_shape(shape: tuple[int, ...]) -> None:
    G, E = dense_net("generator", shape), dense_net("encoder", shape)
    d = math.prod(shape)
    assert layers(G) == ["fc 5-7", "bn", "fc 7-6", "bn", f"fc 6-{d}"]
    assert layers(E) == [f"fc {d}-7", "bn", "fc 7-6", "bn", "fc 6-4"]
    assert G(torch.empty(2, 5, device="meta")).shape == (2, *shape)
    assert E(torch.empty(2, *shape, device="meta")).shape == (2, 4)


def test_width_scales_filters_and_keeps_one_at_least() -> None:
    assert layers(e_net(28, width=0.25))[::2] == [
        *("conv 1-16 4/2/1", "conv 16-32 4/2/1", "conv 32-64 4/2/1"),
        *("fc 576-256", "fc 256-10"),
    ]
    assert layers(g_net(28, width=0.25))[::2] == [
        *("fc 72-1568", "deconv 32-16 4/2/1", "deconv 16-1 4/2/1"),
    ]
    tiny = g_net(64, width=1e-9)(torch.empty(2, 72, device="meta"))
    assert tiny.shape == (2, 1, 64, 64)
    assert e_net(64, width=1e-9)(tiny).shape == (2, 10)


def test_batch_norm_is_left_out_and_a_bottleneck_put_in() -> None:
    assert layers(e_net(28, batch_norm=False, bottleneck=2)) == [
        *("conv 1-64 4/2/1", "conv 64-128 4/2/1", "conv 128-256 4/2/1"),
        *("fc 2304-1024", "fc 1024-2", "fc 2-10"),
    ]
    *_, narrow, last = e_net(28, bottleneck=2)
    assert isinstance(narrow, nn.Linear)
    assert isinstance(last, nn.Linear)  # nothing between: the bottleneck is linear


def test_slopes_are_the_papers() -> None:
    slopes = {p.negative_slope for p in e_net(28).modules() if isinstance(p, nn.LeakyReLU)}
    assert slopes == {0.2}
    assert not [p for p in e_net(28).modules() if isinstance(p, nn.ReLU)]
    assert not [p for p in g_net(28).modules() if isinstance(p, nn.LeakyReLU)]
    assert any(isinstance(p, nn.LeakyReLU) for p in dense_net("generator", (9,)).modules())


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 16, 16), "conv"),
        ((1, 28, 28), "conv"),
        ((3, 64, 64), "conv"),
        ((64,), "mlp"),
        ((1, 28, 32), "mlp"),
        ((1, 30, 30), "mlp"),
        ((1, 4, 4), "mlp"),
        ((3, 68, 68), "mlp"),
    ],
)
def test_kind_goes_by_shape(shape: tuple[int, ...], kind: str) -> None:
    assert resolve_kind("auto", shape) == kind
    assert resolve_kind("mlp", shape) == "mlp"
    if kind == "conv":
        assert resolve_kind("conv", shape) == "conv"
        return
    with pytest.raises(ValueError, match=r"network='conv' .* data of shape \(.*use network='mlp'"):
        resolve_kind("conv", shape)


def test_the_smallest_images_are_convolved_only_when_asked() -> None:
    assert resolve_kind("auto", (1, 8, 8)) == "mlp"
    assert resolve_kind("conv", (1, 8, 8)) == "conv"


def filled(net: nn.Module, seed: int = 0, *, std: float | None = 0.02, **words: bool) -> nn.Module:
    return initialise(net, torch.Generator().manual_seed(seed), CPU, std=std, **words)


def flat(net: nn.Module) -> Tensor:
    return torch.cat([value.float().flatten() for value in net.state_dict().values()])


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_a_seed_means_the_same_weights_whatever_torch_s_own_state(spectral_norm: bool) -> None:
    before = torch.get_rng_state()
    first = flat(filled(e_net(8, width=0.25), 1, spectral_norm=spectral_norm))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    again = flat(filled(e_net(8, width=0.25), 1, spectral_norm=spectral_norm))
    assert torch.equal(first, again)
    other = flat(filled(e_net(8, width=0.25), 2, spectral_norm=spectral_norm))
    assert not torch.equal(first, other)


def test_spectral_norm_seeds_no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    filled(e_net(8, width=0.25), spectral_norm=True)
    assert seeded == []


def test_first_weights_have_the_asked_spread() -> None:
    for net in (filled(g_net(28, hidden=(1024,))), filled(e_net(28))):
        for name, parameter in net.named_parameters():
            value = parameter.detach()
            if value.dim() > 1:
                assert float(value.std()) == pytest.approx(0.02, rel=0.1), name
                assert abs(float(value.mean())) < 0.002, name
            elif name.endswith("bias"):
                assert not value.any(), name
            else:
                assert (value == 1).all(), name  # of batch norm
        for name, value in net.named_buffers():
            expected = 1.0 if name.endswith("running_var") else 0.0
            assert (value == expected).all(), name


@torch.no_grad()
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_he_s_spread_keeps_the_signal_through_relus(
    kind: type[nn.Conv2d | nn.ConvTranspose2d],
) -> None:
    # Two layers: the last of a net may have a spread of its own.
    with torch.device("meta"):
        net = nn.Sequential(kind(32, 64, 4, 2, 1), nn.Conv2d(64, 1, 1))
    filled(net, std=None)
    x = torch.randn(20, 32, 16, 16, generator=torch.Generator().manual_seed(9))
    out = net[0](x)[:, :, 2:-2, 2:-2]  # away from the padding
    assert float(out.var()) == pytest.approx(2 * float(x.square().mean()), rel=0.1)


def test_nothing_stays_on_the_meta_device() -> None:
    net = filled(e_net(8, width=0.25), spectral_norm=True)
    tensors = [*net.parameters(), *net.buffers()]
    assert {t.device.type for t in tensors} == {"cpu"}
    assert all(torch.isfinite(t).all() for t in tensors)


@torch.no_grad()
def test_spectral_norm_bounds_the_largest_singular_value() -> None:
    nets = {
        (1, 8, 8): filled(e_net(8, width=0.25), std=1.0, spectral_norm=True),
        (5,): filled(dense_net("generator", (9,)), std=1.0, spectral_norm=True),
        (72,): filled(g_net(8, width=0.1), std=1.0, spectral_norm=True),
    }
    stream = torch.Generator().manual_seed(0)
    for shape, net in nets.items():
        for _ in range(30):  # a power iteration each
            net(torch.randn(4, *shape, generator=stream))
        net.eval()
        for part in net.modules():
            if isinstance(part, nn.ConvTranspose2d):
                matrix = part.weight.transpose(0, 1).flatten(1)
            elif isinstance(part, nn.Conv2d | nn.Linear):
                matrix = part.weight.flatten(1)
            else:
                continue
            largest = float(torch.linalg.matrix_norm(matrix, 2))
            assert largest == pytest.approx(1.0, abs=0.02)
