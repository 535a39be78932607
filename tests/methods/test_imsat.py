"""IMSAT: its loss, its perturbed passes, its budget, and that it finds what is there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from deep_em_bench import methods
from deep_em_bench.methods import DivergenceError, imsat
from deep_em_bench.methods.imsat import Imsat, Training
from deep_em_bench.methods.nets.consistency import InformationTerms
from tests.methods.cases import blobs, images

X = blobs(60)
TRUTH = np.arange(60) % 3


def small(**params: Any) -> Imsat:
    given: dict[str, Any] = {
        "n_clusters": 3,
        "max_iter": 3,
        "epochs": 1,
        "steps": 0,
        "n_init": 1,
        "batch_size": 20,
        "hidden": (16, 16),
        "device": "cpu",
    }
    return Imsat(**{**given, **params})


def training(method: Imsat) -> Training:
    """Of the net as it is, on X, with a radius of .5."""
    x = method._incoming(X)
    return Training(method, method.net_, x, torch.full((len(X),), 0.5), method._runtime)


def linear_layers(method: Imsat) -> list[nn.Linear]:
    return [part for part in method.net_.modules() if isinstance(part, nn.Linear)]


def weights(method: Imsat) -> Tensor:
    return torch.cat([p.detach().flatten() for p in method.net_.parameters()])


def purity(labels: np.ndarray, truth: np.ndarray) -> float:
    return sum(np.bincount(truth[labels == k]).max() for k in np.unique(labels)) / len(truth)


class TestLearning:
    LEARNING: ClassVar[dict[str, Any]] = {
        "max_iter": 20,
        "steps": 10,
        "n_init": 3,
        "init_iter": 8,
        "lr": 3e-3,
        "hidden": (64, 64),
    }

    def test_it_finds_blobs(self) -> None:
        method = small(**self.LEARNING).fit(X)
        assert purity(method.labels_, TRUTH) == 1.0
        assert purity(method.predict(blobs(90)[60:]), np.arange(60, 90) % 3) == 1.0

    @pytest.mark.parametrize("n_components", [10, None])
    def test_it_finds_kinds_of_image(self, n_components: int | None) -> None:
        method = small(**self.LEARNING, n_components=n_components).fit(images(90))
        assert purity(method.labels_, np.arange(90) % 3) == 1.0

    def test_a_curved_cluster_stays_whole(self) -> None:
        """Where K-means cuts both moons in two."""
        angle = np.linspace(0, math.pi, 300)
        upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        both = np.concatenate([upper, [1.0, 0.5] - upper]).astype(np.float32)
        wanted = {**self.LEARNING, "batch_size": 100, "n_clusters": 2}
        found = small(**wanted).fit(both).labels_
        assert purity(found, np.repeat([0, 1], 300)) > 0.97

    def test_training_makes_it_sure_and_keeps_it_balanced(self) -> None:
        history = small(**self.LEARNING).fit(X).history_
        assert history[-1]["conditional_entropy"] < 0.7 * history[0]["conditional_entropy"]
        assert history[-1]["marginal_entropy"] > 0.95 * math.log(3)
        assert history[-1]["shares"] == pytest.approx([1 / 3] * 3)


class TestProjection:
    def test_it_is_scikit_learns(self) -> None:
        wide = np.random.default_rng(0).normal(size=(200, 30)) * np.linspace(0.2, 3, 30)
        wide = (wide @ np.linalg.qr(np.random.default_rng(1).normal(size=(30, 30)))[0]).astype("f")
        method = small(max_iter=0, n_components=4).fit(wide)
        scaled = (wide - wide.mean(axis=0)) / wide.std(axis=0)
        expected = PCA(4, svd_solver="full").fit_transform(scaled)
        found = method.projection_(method._incoming(wide)).numpy()
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=0.02)

    def test_few_columns_are_taken_as_they_are(self) -> None:
        for n_components in (None, 4, 50):
            method = small(max_iter=0, n_components=n_components).fit(X)
            x = method._incoming(X)
            assert torch.equal(method.projection_(x), x)
        assert linear_layers(small(max_iter=0, n_components=3).fit(X))[0].in_features == 3

    def test_fewer_rows_than_components(self) -> None:
        method = small(n_components=10).fit(images(6))
        projected = method.projection_(method._incoming(images(6)))
        assert projected.shape == (6, 10)
        assert not projected[:, 6:].any()
        assert np.isfinite(method.predict_proba(images())).all()


class TestLoss:
    def test_it_is_the_written_out_one(self) -> None:
        terms = InformationTerms(
            divergence=torch.tensor(0.3),
            marginal_entropy=torch.tensor(0.9),
            conditional_entropy=torch.tensor(0.5),
        )
        for bound, entropy in ((1.0, 0.9), (0.5, 0.5 * math.log(3))):
            method = small(
                max_iter=0, information=0.2, marginal_entropy=3.0, entropy_bound=bound
            ).fit(X)
            found = training(method).loss(terms)
            assert float(found) == pytest.approx(0.3 + 0.2 * (0.5 - 3 * entropy))

    def test_above_its_bound_the_marginal_entropy_has_no_pull(self) -> None:
        fitted = small(max_iter=0, information=0.1, marginal_entropy=4.0, entropy_bound=0.99).fit(
            X
        )
        for entropy, pull in ((1.0, -0.4), (1.09, 0.0)):  # log 3 = 1.0986, bound 1.0876
            marginal = torch.tensor(entropy, requires_grad=True)
            terms = InformationTerms(
                divergence=torch.zeros(()),
                marginal_entropy=marginal,
                conditional_entropy=torch.zeros(()),
            )
            training(fitted).loss(terms).backward()
            assert marginal.grad is not None
            assert float(marginal.grad) == pytest.approx(pull)

    @pytest.mark.parametrize("unit", ["distance", "coordinate"])
    def test_each_point_has_its_own_radius(
        self, unit: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[Tensor, Tensor]] = []
        terms = imsat.information_terms

        def watched(net: Any, x: Tensor, radius: Tensor, *given: Any, **named: Any) -> Any:
            seen.append((x, radius))
            return terms(net, x, radius, *given, **named)

        monkeypatch.setattr(imsat, "information_terms", watched)
        small(radius=0.5, radius_unit=unit, max_iter=1).fit(X)
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
        nearest = NearestNeighbors(n_neighbors=11).fit(scaled)
        for x, radius in seen:
            expected = 0.5 * nearest.kneighbors(x.numpy())[0][:, -1]  # itself and ten others
            expected /= 2.0 if unit == "coordinate" else 1.0  # the root of four columns
            np.testing.assert_allclose(radius.numpy(), expected, rtol=1e-3)


class TestPerturbedPasses:
    def test_they_leave_the_running_statistics_alone(self) -> None:
        method = small(max_iter=0, radius=50.0, probe=100.0).fit(X)
        x = method._incoming(X)
        training(method).terms(x, torch.full((60,), 50.0))
        norm = next(part for part in method.net_.modules() if isinstance(part, nn.BatchNorm1d))
        seen = linear_layers(method)[0](x)
        assert norm.running_mean is not None
        torch.testing.assert_close(norm.running_mean, 0.1 * seen.mean(dim=0).detach())
        assert norm.num_batches_tracked == 1

    def test_they_use_the_batch_statistics(self) -> None:
        """Shifting all points by the same is invisible to batch norm of the batch itself."""
        method = small(max_iter=0).fit(X)
        x = method._incoming(X)
        method.net_.train()
        with imsat._keeping_statistics(method.net_):
            torch.testing.assert_close(method.net_(x + 7), method.net_(x), atol=1e-4, rtol=1e-3)

    @pytest.mark.parametrize("probe", [None, 3.0])
    def test_the_probe_is_as_long_as_it_says(
        self, probe: float | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        method = small(max_iter=0, probe=probe).fit(X)
        seen: list[Tensor] = []
        forward = method.net_.forward

        def watched(points: Tensor) -> Tensor:
            seen.append(points.detach())
            return forward(points)

        x = method._incoming(X)
        start = training(method)
        monkeypatch.setattr(method.net_, "forward", watched)
        start.terms(x, torch.full((60,), 0.5))
        lengths = [float((points - x).norm(dim=1).mean()) for points in seen]
        assert lengths == pytest.approx([0.0, probe or 0.5, 0.5], rel=1e-4)


class TestBudget:
    @pytest.mark.parametrize(
        ("n", "epochs", "steps", "updates"),
        [(60, 2, 0, 6), (60, 1, 5, 6), (60, 1, 6, 6), (60, 1, 7, 9), (5, 2, 0, 2), (5, 1, 4, 4)],
    )
    def test_an_iteration_is_whole_passes(
        self, n: int, epochs: int, steps: int, updates: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[int] = []
        terms = imsat.information_terms

        def counted(net: Any, x: Tensor, *given: Any, **named: Any) -> Any:
            calls.append(len(x))
            return terms(net, x, *given, **named)

        monkeypatch.setattr(imsat, "information_terms", counted)
        method = small(max_iter=2, epochs=epochs, steps=steps).fit(X[:n])
        assert calls == [20] * 2 * updates
        assert method.n_iter_ == 2

    def test_it_stops_when_labels_stand_still(self) -> None:
        method = small(max_iter=9, tol=1.0, patience=2).fit(X)
        assert (method.n_iter_, method.converged_) == (2, True)
        method = small(max_iter=9, tol=0.0, patience=10).fit(X)
        assert (method.n_iter_, method.converged_) == (9, False)

    def test_the_linear_rate_ends_near_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rates: list[float] = []
        step = torch.optim.Adam.step

        def watched(optimizer: torch.optim.Adam) -> Any:
            rates.append(optimizer.param_groups[0]["lr"])
            return step(optimizer)

        monkeypatch.setattr(torch.optim.Adam, "step", watched)
        small(lr=0.1, lr_schedule="linear", max_iter=2, steps=6).fit(X)
        assert rates == pytest.approx(0.1 * np.arange(12, 0, -1) / 12)
        rates.clear()
        small(lr=0.1, lr_schedule="constant").fit(X)
        assert rates == [0.1] * 9

    def test_a_rate_of_nothing_learns_nothing(self) -> None:
        torch.testing.assert_close(
            weights(small(lr=0.0).fit(X)), weights(small(max_iter=0).fit(X)), atol=0, rtol=0
        )

    def test_no_iterations_give_the_first_net(self) -> None:
        method = small(max_iter=0).fit(X)
        assert (method.n_iter_, method.history_, method.converged_) == (0, [], False)
        assert method.labels_.shape == (60,)

    def test_numbers_that_are_not_finite_end_the_fit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        terms = imsat.information_terms

        def endless(*given: Any, **named: Any) -> InformationTerms:
            found = terms(*given, **named)
            return InformationTerms(
                divergence=found.divergence * float("nan"),
                marginal_entropy=found.marginal_entropy,
                conditional_entropy=found.conditional_entropy,
            )

        monkeypatch.setattr(imsat, "information_terms", endless)
        with pytest.raises(DivergenceError, match="divergence"):
            small().fit(X)


class TestStarts:
    def test_the_surest_and_most_balanced_goes_on(self) -> None:
        method = small(n_init=4, init_iter=2, lr=0.01, lr_schedule="constant").fit(X)
        found = method.start_information_
        assert len(found) == 4
        assert method.history_[1]["mutual_information"] == max(found)
        assert [row["iteration"] for row in method.history_] == [1, 2, 3]

    def test_starts_differ_and_the_first_is_that_of_a_single_one(self) -> None:
        chosen = {"init_iter": 9, "lr": 0.01}  # more than the budget
        found = small(n_init=3, **chosen).fit(X).start_information_
        assert len(set(found)) == 3
        alone = small(n_init=1, **chosen).fit(X)
        assert alone.history_[-1]["mutual_information"] == pytest.approx(found[0])

    def test_the_mutual_information_is_the_written_out_one(self) -> None:
        method = small(lr=0.01).fit(X)
        p = method.predict_proba(X).astype(np.float64)
        found = (p * np.log(p / p.mean(axis=0))).sum(axis=1).mean()
        row = method.history_[-1]
        assert row["mutual_information"] == pytest.approx(found, abs=1e-5)

    def test_one_that_diverged_is_not_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assign, seen = Training._assign, []

        def spoilt(start: Training) -> Tensor:
            w = assign(start)
            if not seen or start is seen[0]:
                seen.append(start)
                start.information = float("nan")
            return w

        monkeypatch.setattr(Training, "_assign", spoilt)
        method = small(n_init=2, init_iter=1).fit(X)
        assert [math.isnan(value) for value in method.start_information_] == [True, False]
        assert method.n_iter_ == 3

    def test_still_rows_of_a_start_do_not_end_it_early(self) -> None:
        method = small(n_init=2, init_iter=3, max_iter=5, tol=1.0, patience=1).fit(X)
        assert (method.n_iter_, method.converged_) == (3, True)
        np.testing.assert_array_equal(method.labels_, method.predict(X))


class TestFirstNet:
    def test_it_is_indifferent(self) -> None:
        method = small(max_iter=0, last_std=1e-4).fit(X)
        np.testing.assert_allclose(method.predict_proba(X), 1 / 3, atol=0.01)

    def test_standard_deviations_are_over_the_root_of_fan_in(self) -> None:
        method = small(max_iter=0, hidden=(400, 300), hidden_std=0.1, last_std=0.5).fit(X)
        first, second, last = linear_layers(method)
        assert float(first.weight.detach().std()) == pytest.approx(0.1 / 2, rel=0.1)
        assert float(second.weight.detach().std()) == pytest.approx(0.1 / 20, rel=0.1)
        assert float(last.weight.detach().std()) == pytest.approx(0.5 / 300**0.5, rel=0.1)
        assert all(not layer.bias.any() for layer in (first, second, last))


def test_the_paper_preset_is_its_settings() -> None:
    method = methods.create("imsat", "paper")
    assert isinstance(method, Imsat)
    assert (method.hidden, method.batch_size, method.lr) == ((1200, 1200), 250, 2e-3)
    assert (method.information, method.marginal_entropy) == (0.1, 4.0)
    assert (method.probe, method.radius, method.radius_unit) == (10.0, 0.25, "distance")
    assert (method.max_iter * method.epochs, method.lr_schedule) == (50, "constant")


@pytest.mark.parametrize(("image_range", "low"), [("symmetric", -1.0), ("unit", 0.0)])
def test_grey_images_reach_the_net_in_their_range(
    image_range: str, low: float, tmp_path: Path
) -> None:
    pictures = images(24).clip(0, 1)
    pictures[0, 0, 0, 0], pictures[0, 0, 0, 1] = 0.0, 1.0
    method = small(max_iter=0, image_range=image_range).fit(pictures)
    seen = method._incoming(pictures)
    assert (float(seen.min()), float(seen.max())) == (low, 1.0)
    method.save(tmp_path / "m.safetensors")
    loaded = methods.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(pictures), method.predict_proba(pictures))


def test_history_tells_the_terms_of_the_loss() -> None:
    method = small().fit(X)
    for row in method.history_:
        assert 0 <= row["conditional_entropy"] <= row["marginal_entropy"] <= math.log(3) + 1e-6
        assert row["divergence"] >= 0
        assert 0 <= row["responsibility_entropy"] <= math.log(3) + 1e-6
        assert sum(row["shares"]) == pytest.approx(1)
        assert row["seconds"] > 0
