"""The tables of docs/measured.md and of README.md's section, and what the records say."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from deep_em_bench import methods, results
from deep_em_bench.reports.text import ABSENT, REAL_IMAGES, number
from deep_em_bench.results import Record
from deep_em_bench.results.published import find, published

ROOT = Path(__file__).parents[1]
README, PAGE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/measured.md")
)
PRINTED = README.partition("## Measured")[2].partition("\n## ")[0] + PAGE


@dataclass(frozen=True)
class Column:
    """What stands under one heading, of one suite."""

    heading: str
    suite: str
    on: str
    """A pattern in the title of its data set; of several data sets each seed's mean is taken."""
    score: str
    """Split and metric, as in "test/ari", or "fit_s". An error rate is shown in %, or as the
    accuracy where the heading says so."""
    n_clusters: int | None = None
    """Of runs with so many clusters alone."""
    profile: str = "quick"

    @property
    def metric(self) -> str:
        return self.score.rpartition("/")[2]

    def holds(self, record: Record) -> bool:
        """Whether a record belongs here."""
        return (
            (record.suite, record.profile) == (self.suite, self.profile)
            and self.n_clusters in (None, record.n_clusters)
            and bool(re.search(self.on, record.dataset.title))
        )


def columns(suite: str, on: str, scores: Mapping[str, str]) -> tuple[Column, ...]:
    return tuple(Column(heading, suite, on, score) for heading, score in scores.items())


FITTED = {"ARI ↑": "train/ari", "NMI ↑": "train/nmi"}
HELD_OUT = {"purity ↑": "test/purity", "ARI ↑": "test/ari", "NMI ↑": "test/nmi"}
LENET = {"IS ↑": "generation/is_lenet", "NMI ↑": "test/nmi"}

TABLES = {
    "digits": columns("digits_raw", "", {"accuracy ↑": "train/error_rate", **FITTED}),
    "MNIST": columns(
        "mnist_raw", "", {"accuracy ↑": "test/error_rate", **HELD_OUT, "fit s": "fit_s"}
    ),
    "more clusters": tuple(
        Column(heading, "mnist_k", "", f"test/{metric}", n_clusters)
        for n_clusters in (10, 20, 30)
        for metric, heading in (("purity", f"K = {n_clusters}: purity ↑"), ("nmi", "NMI ↑"))
    ),
    "MNIST otherwise": (
        Column("SAE features", "mnist_sae", "", "test/purity"),
        Column("10 % fitted", "mnist_scales", r"subset=0\.1", "test/purity"),
        Column("50 %", "mnist_scales", r"subset=0\.5", "test/purity"),
        Column("100 %", "mnist_scales", r"subset=1\.0", "test/purity"),
    ),
    "fewer dimensions": columns(
        "mnist_reduction",
        "",
        {"accuracy ↑": "test/error_rate", "5-NN accuracy ↑": "test/knn_accuracy"},
    ),
    "a few labels": (
        Column("digits, 50 labels", "digits_semi", "", "train/error_rate"),
        Column("MNIST, 100", "mnist_semi", r"labelled=100\b", "test/error_rate"),
        Column("MNIST, 1,000", "mnist_semi", r"labelled=1000\b", "test/error_rate"),
        Column("CelebA, none", "celeba", r"^(?!.*labelled)", "test/error_rate"),
        Column("CelebA, 100", "celeba", "labelled=100", "test/error_rate"),
    ),
    "UCI": (
        *columns("uci", "image_seg", {"Segmentation: purity ↑": "train/purity", **FITTED}),
        *columns("uci", "artificial", {"Characters: purity ↑": "train/purity", **FITTED}),
    ),
    "samples": (
        *columns("generation", "^mnist", {"MNIST: FID ↓": "generation/fid_lenet", **LENET}),
        *columns(
            "generation",
            "^fashion",
            {"Fashion: FID ↓": "generation/fid_lenet", "NMI ↑": "test/nmi"},
        ),
        *columns(
            "generation",
            "^flowers",
            {"flowers: FID ↓": "generation/fid_squeezenet", "NMI ↑": "train/nmi"},
        ),
    ),
    "full scale": (
        Column("no labels: purity ↑", "mnist_raw", "", "test/purity", profile="paper"),
        Column("ARI ↑", "mnist_raw", "", "test/ari", profile="paper"),
        Column("NMI ↑", "mnist_raw", "", "test/nmi", profile="paper"),
        Column("error, 100 labels", "mnist_semi", r"=100\b", "test/error_rate", profile="paper"),
        Column("1,000 labels", "mnist_semi", r"=1000\b", "test/error_rate", profile="paper"),
        Column("2 dimensions", "mnist_reduction", "", "test/error_rate", profile="paper"),
    ),
}
"""In the order in which they are printed; the last column of each, n, is not named here."""

ROWS = {
    "K-means": "kmeans[default]",
    "GMM, full": "gmm[full]",
    "PCA + GMM": "gmm[pca_full]",
    "GAN-EM, `stable`": "gan_em[stable]",
    "its E-net alone, no GAN": "gan_em[no GAN]",
    "its E-net on labels and data, no GAN": "gan_em[no GAN]",
    "GAN-EM, `official`": "gan_em[official]",
    "GAN-EM, `paper`": "gan_em[paper]",
    "GAN-EM's E-net on the labels alone": "gan_em[labels only]",
    "GANMM, `stable`": "ganmm[stable]",
    "its classifier without GANs": "ganmm[no GAN]",
    "GANMM (EM)": "ganmm_em[paper]",
    "Responsibility GAN, `stable`": "responsibility_gan[stable]",
    "Responsibility GAN, separate": "responsibility_gan[separate]",
    "Responsibility GAN, shared": "responsibility_gan[shared]",
    "Responsibility GAN, shared, the others' rates": (
        "responsibility_gan[shared at the others' rates]"
    ),
    "Responsibility GAN, `paper`": "responsibility_gan[paper]",
    "Vanilla GAN, one cluster": "vanilla_gan[default]",
    "GM-GAN, static": "gm_gan[static]",
    "GM-GAN, dynamic": "gm_gan[dynamic]",
    "DEC": "dec[stable]",
    "DEC without auto-encoder": "dec[raw]",
    "IMSAT, `stable`": "imsat[stable]",
    "Logistic regression on the labels": "logistic_regression[default]",
    "Self-training": "self_training[default]",
    "Label spreading": "label_spreading[default]",
    "2 principal components, K-means": "pca_kmeans[2]",
    "100 principal components, K-means": "pca_kmeans[100]",
    "2 of t-SNE, K-means": "tsne_kmeans[2]",
    "2 of GAN-EM's E-net": "gan_em[2]",
    "2 of it without the GAN": "gan_em[2 no GAN]",
    "100 of GAN-EM's E-net": "gan_em[100]",
    "1,000 of GAN-EM's E-net": "gan_em[1000]",
    "100 of the E-net on 8,000 labels": "gan_em[supervised 100]",
    "real images in their place": REAL_IMAGES,
}
"""Labels in the records by the printed names of rows, without emphasis and budget."""

BUDGET = re.compile(r", (\d+) (EM iterations|passes)$")

Line = list[str]
"""The cells of a line of a table."""


@functools.cache
def records() -> tuple[Record, ...]:
    stores = results.stores(root=ROOT / "results" / "reference")
    return tuple(record for store in stores for record in store.load(history=False))


def measured(column: Column, label: str) -> dict[int, list[Record]]:
    """The records of one cell of a table by seed; of real images one a seed, whichever has it."""
    by_seed: dict[int, list[Record]] = {}
    for record in filter(column.holds, records()):
        if label == REAL_IMAGES and record.metrics.real:
            by_seed[record.seed] = [record]
        elif label == record.label:
            by_seed.setdefault(record.seed, []).append(record)
    return by_seed


def whole(by_seed: dict[int, list[Record]]) -> list[list[Record]]:
    """The seeds of which every record, one a data set, ended well."""
    most = max(map(len, by_seed.values()), default=0)
    return [
        held
        for held in by_seed.values()
        if len(held) == most and all(record.status == "ok" for record in held)
    ]


def score(record: Record, column: Column, label: str) -> float:
    """NaN where the record has none."""
    if column.score == "fit_s":
        value = record.timing.fit_s
    else:
        split = "real" if label == REAL_IMAGES else column.score.partition("/")[0]
        value = getattr(record.metrics, split).get(column.metric)
    return math.nan if value is None else value


def seeds_of(column: Column, label: str) -> list[float]:
    """The score of each seed that ended well."""
    held = whole(measured(column, label))
    return [fmean(score(record, column, label) for record in each) for each in held]


def cell(column: Column, label: str) -> str:
    """Mean ± sample standard deviation over the seeds, as the tables print it."""
    values = seeds_of(column, label)
    if not values or any(map(math.isnan, values)):
        return ABSENT
    if column.score == "fit_s":
        return f"{fmean(values):.0f}"
    if column.metric == "error_rate" and not column.heading.startswith("accuracy"):
        mean, *spread = [f"{100 * value:.1f}" for value in moments(values)]
    else:
        center, *deviation = moments(values)
        center = 1 - center if column.metric == "error_rate" else center
        mean = number(center, column.metric)
        spread = [number(each, column.metric, center) for each in deviation]
    return " ± ".join([mean, *spread]) + bracket(column, label)


def moments(values: list[float]) -> list[float]:
    """The mean and, of several, the sample standard deviation."""
    return [fmean(values), *([stdev(values)] if len(values) > 1 else [])]


def bracket(column: Column, label: str) -> str:
    """On UCI the paper's figure of the method; a variant, whose label is no preset's, has none."""
    method, _, preset = label.removesuffix("]").partition("[")
    found = find(published(), suite="uci", method=method, metric=column.metric)
    printed = [entry.printed for entry in found if re.search(column.on, entry.dataset)]
    if column.suite != "uci" or not printed:
        return ""
    presets = methods.registry.get(method).attributes["presets"]
    mean = printed[0].partition("±")[0].removeprefix("0")
    return f" ({mean})" if preset in presets else ""


def runs(table: Sequence[Column], label: str) -> str:
    """Seeds that ended well, of all; several where the columns differ."""
    held = [by_seed for column in table if (by_seed := measured(column, label))]
    counts = [f"{len(whole(by_seed))}/{len(by_seed)}" for by_seed in held]
    return ", ".join(n for n, _ in itertools.groupby(counts))


def line(name: str, table: Sequence[Column], label: str) -> Line:
    return [name, *(cell(column, label) for column in table), runs(table, label)]


def printed_tables() -> Iterator[list[Line]]:
    """The printed tables, line by line, without the rule under the heading."""
    for block in re.findall(r"(?:^\|.*\|\n)+", PRINTED, flags=re.M):
        lines = [[text.strip() for text in row.split("|")[1:-1]] for row in block.splitlines()]
        yield [lines[0], *lines[2:]]


def heading(table: Sequence[Column]) -> Line:
    return ["method", *(column.heading for column in table), "n"]


def rows(table: Sequence[Column]) -> list[Line]:
    return next((rows for head, *rows in printed_tables() if head == heading(table)), [])


def label_of(name: str) -> str:
    plain = BUDGET.sub("", name.strip("*"))
    assert plain in ROWS, f"the row {name!r} has no label; give it one in ROWS"
    return ROWS[plain]


def differences(table: Sequence[Column]) -> Iterator[str]:
    """What does not follow from the records, and after it the line as it has to be."""
    for given in rows(table):
        right = line(given[0], table, label_of(given[0]))
        if given != right:
            found = itertools.zip_longest(heading(table), given, right)
            for i, (of, was, now) in enumerate(found):
                if was != now:
                    yield f"{given[0]}, column {i}, {of}: printed {was}, recomputed {now}"
            yield f"| {' | '.join(right)} |"
    labels = {label_of(name) for name, *_ in rows(table)}
    held = {r.label for r in records() if any(column.holds(r) for column in table)}
    for label in sorted(held - labels):
        yield f"{label} is in the records and has no row; name it, and in ROWS here"
        yield f"| {' | '.join(line(label, table, label))} |"
