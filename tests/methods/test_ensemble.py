"""The batched model is the loop over the same nets: values, gradients, buffers, states."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from deep_em_bench.methods.ganmm.networks import critic, generator, initialise
from deep_em_bench.methods.nets.ensemble import Batched, Crop, Ensemble, join, resolve_ensemble

K, B = 3, 5
CPU = torch.device("cpu")
MLP = {"hidden": (6, 7), "width": 1.0}
CONV = {"hidden": (), "width": 0.05}

LAYOUTS = {
    "generator of vectors": (generator("mlp", 4, (2,), **MLP, output=nn.Identity()), (4,)),
    "generator of flat images": (generator("mlp", 4, (2, 8, 8), **MLP, output=nn.Tanh()), (4,)),
    "generator of images": (generator("conv", 4, (1, 12, 12), **CONV, output=nn.Sigmoid()), (4,)),
    "critic of vectors": (critic("mlp", (2,), **MLP, norm="none"), (2,)),
    "critic of flat images": (critic("mlp", (2, 8, 8), **MLP, norm="none"), (2, 8, 8)),
    "critic": (critic("conv", (1, 12, 12), **CONV, norm="none"), (1, 12, 12)),
    "critic with layer norm": (critic("conv", (3, 16, 16), **CONV, norm="layer"), (3, 16, 16)),
    "critic with batch norm": (critic("conv", (1, 12, 12), **CONV, norm="batch"), (1, 12, 12)),
    "no hidden layer": (critic("mlp", (2,), hidden=(), width=1.0, norm="none"), (2,)),
}


def nets(layout: nn.Sequential) -> list[nn.Sequential]:
    streams = (torch.Generator().manual_seed(i) for i in range(K))
    return [initialise(copy.deepcopy(layout), stream, CPU) for stream in streams]


def both(layout: nn.Sequential) -> tuple[Ensemble, Ensemble]:
    return join(nets(layout), "loop"), join(nets(layout), "batched")


def assert_alike(first: Ensemble, second: Ensemble) -> None:
    ours, others = first.state_dict(), second.state_dict()
    assert ours.keys() == others.keys()
    for key, value in ours.items():
        assert value.shape == others[key].shape
        assert value.dtype == others[key].dtype
        torch.testing.assert_close(value, others[key], rtol=1e-5, atol=1e-6)


@pytest.fixture(params=LAYOUTS)
def case(request: pytest.FixtureRequest) -> tuple[Ensemble, Ensemble, Tensor]:
    layout, shape = LAYOUTS[request.param]
    return *both(layout), torch.randn(K, B, *shape, generator=torch.Generator().manual_seed(9))


def test_both_are_the_nets_themselves(case: tuple[Ensemble, Ensemble, Tensor]) -> None:
    loop, batched, x = case
    for training in (True, False):
        y = loop.train(training)(x)
        torch.testing.assert_close(batched.train(training)(x), y)
        assert y.shape[:2] == (K, B)
    assert_alike(loop, batched)  # running means and variances too
    single = loop.groups()[1].eval()
    torch.testing.assert_close(single(x[1:2]), y[1:2])
    assert len({float(part.detach().double().sum()) for part in y}) == K


def test_gradients_are_the_same(case: tuple[Ensemble, Ensemble, Tensor]) -> None:
    stacked: list[dict[str, Tensor]] = []
    for ensemble in case[:2]:
        x = case[2].clone().requires_grad_()
        ensemble.train()(x).square().mean(dim=1).sum().backward()
        assert x.grad is not None
        held = {name: p.grad for name, p in ensemble.named_parameters() if p.grad is not None}
        if not isinstance(ensemble, Batched):
            names = [name.split("net.", 1)[1] for name in held if name.startswith("members.0.")]
            parts = {n: [held[f"members.{i}.net.{n}"] for i in range(K)] for n in names}
            held = {name: torch.stack(values) for name, values in parts.items()}
        stacked.append({**held, "input": x.grad})
    assert stacked[0].keys() == stacked[1].keys()
    for name, value in stacked[0].items():
        torch.testing.assert_close(value, stacked[1][name], rtol=1e-4, atol=1e-6)


def test_a_state_goes_from_one_to_the_other(case: tuple[Ensemble, Ensemble, Tensor]) -> None:
    loop, batched, x = case
    with torch.no_grad():
        for p in batched.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
        batched.train()(x)
    loop.load_state_dict(batched.state_dict())
    assert_alike(loop, batched)
    torch.testing.assert_close(loop.eval()(x), batched.eval()(x))


def test_groups_are_trained_apart() -> None:
    loop, batched = both(LAYOUTS["critic of vectors"][0])
    assert (len(loop.groups()), len(batched.groups())) == (K, 1)
    held = [{id(p) for p in group.parameters()} for group in loop.groups()]
    assert not held[0] & held[1] | held[1] & held[2]
    for ensemble in (loop, batched):
        every = {id(p) for group in ensemble.groups() for p in group.parameters()}
        assert every == {id(p) for p in ensemble.parameters()}


def test_a_layer_with_weights_and_no_batched_form_is_refused() -> None:
    parts = [nn.Sequential(nn.Linear(2, 2), nn.PReLU()) for _ in range(K)]
    with pytest.raises(TypeError, match=r"PReLU hold weight .* use the loop"):
        join(parts, "batched")
    assert join(parts, "loop")(torch.zeros(K, 4, 2)).shape == (K, 4, 2)


def test_crop_keeps_the_upper_left() -> None:
    x = torch.arange(32.0).view(1, 2, 4, 4)
    assert Crop(3)(x).tolist() == x[:, :, :3, :3].tolist()


def test_who_is_batched_where() -> None:
    cuda = torch.device("cuda")
    assert resolve_ensemble("auto", "mlp", CPU) == "batched"
    assert resolve_ensemble("auto", "conv", CPU) == "loop"
    assert resolve_ensemble("auto", "conv", cuda) == "batched"
    assert resolve_ensemble("loop", "mlp", CPU) == "loop"
    assert resolve_ensemble("batched", "conv", CPU) == "batched"
