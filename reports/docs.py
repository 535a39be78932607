"""The tables of README.md and docs, written between two markers from the reference records."""

from __future__ import annotations

import itertools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deep_em_bench import results
from deep_em_bench.core import UserError, unknown_name
from deep_em_bench.core.guard import guarded
from deep_em_bench.core.parser import CommandParser
from deep_em_bench.core.schema import Strict, converted
from deep_em_bench.reports.tables.caption import REAL_IMAGES
from deep_em_bench.reports.tables.model import ABSENT, metric_format, number
from deep_em_bench.results.published import find, published

__all__ = ["Column", "main", "pair_table", "score_table"]

BLOCK = re.compile(r"(?<=<!-- table: )(\w+)( -->\n)(.*?)(?=<!-- end -->)", flags=re.S)


class Column(Strict, frozen=True, kw_only=True):
    """Which records a column shows, and which score of them; keys as in docs/tables.toml."""

    title: str
    suite: str
    score: str
    """Split and metric, as in "test/ari" (also "accuracy" and "error_%"), or "fit_s"."""
    profile: str = "quick"
    dataset: str = ""
    """A pattern in the title of the data set; over several data sets each seed's mean is taken."""
    n_clusters: int | None = None
    published: bool = False
    """Whether the number that the paper prints for a preset follows in brackets."""
    labels: tuple[str, ...] = ()
    """The two rows of a pair."""

    @property
    def metric(self) -> str:
        return self.score.rpartition("/")[2]

    def select(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of this column, with the score as ``value``."""
        chosen = (frame["suite"] == self.suite) & (frame["profile"] == self.profile)
        chosen &= frame["dataset"].str.contains(self.dataset)
        if self.n_clusters is not None:
            chosen &= frame["n_clusters"] == self.n_clusters
        split = self.score.partition("/")[0]
        if self.metric == "error_%":
            return frame[chosen].assign(value=100 * frame[f"{split}/error_rate"])
        return frame[chosen].assign(value=frame[self.score])


def reference(root: Path) -> pd.DataFrame:
    """The records under ``root``, and the real images that samples are compared with as rows."""
    frame = results.load(root=root)
    scores = [name for name in frame if str(name).startswith("real/")]
    real = frame.dropna(subset=scores, how="all").drop_duplicates(["suite", "dataset", "seed"])
    facts = real[["suite", "profile", "dataset", "n_clusters", "seed", "status", "params"]]
    samples = real[scores].rename(columns=lambda name: name.replace("real/", "generation/"))
    return pd.concat([frame, facts.assign(label=REAL_IMAGES).join(samples)], ignore_index=True)


def score_table(
    frame: pd.DataFrame, columns: Sequence[Column], titles: Mapping[str, str]
) -> list[list[str]]:
    """Mean ± sample standard deviation over seeds of every label; the last column is n."""
    parts = [column.select(frame) for column in columns]
    present = {label for part in parts for label in part["label"]}
    if unknown := sorted(present - set(titles)):
        raise UserError(f"docs/tables.toml has no title for the rows {', '.join(unknown)}")
    lines = [["method", *(column.title for column in columns), "n"]]
    for label in (label for label in titles if label in present):
        rows = [part[part["label"] == label] for part in parts]
        cells = [_cell(*each, label) for each in zip(columns, rows, strict=True)]
        counts = [f"{len(_means(part))}/{part['seed'].nunique()}" for part in rows if len(part)]
        n = ", ".join(count for count, _ in itertools.groupby(counts))
        lines.append([_title(titles[label], pd.concat(rows)), *cells, n])
    return lines


def pair_table(frame: pd.DataFrame, pairs: Sequence[Column]) -> list[list[str]]:
    """Differences of two labels on the same data set and seed: their mean, and who wins."""
    lines = [["method and data", "score", "difference", "better with the GAN"]]
    for pair in pairs:
        rows = pair.select(frame).pivot_table("value", ["dataset", "seed"], "label")
        difference = (rows[pair.labels[0]] - rows[pair.labels[1]]).dropna()
        wins = f"{(difference > 0).sum()} of {len(difference)} runs"
        shown = _spread(difference, pair.metric)
        lines.append([pair.title, pair.metric, shown if shown[0] == "-" else f"+{shown}", wins])
    return lines


def _means(rows: pd.DataFrame) -> pd.Series:
    """The score of each seed whose cells, one for each data set, all succeeded."""
    seeds = rows.assign(ok=rows["status"] == "ok").groupby("seed")
    whole = (seeds["ok"].sum() == seeds.size().max()) if len(rows) else []
    return seeds["value"].mean()[whole]


def _cell(column: Column, rows: pd.DataFrame, label: str) -> str:
    values = _means(rows)
    if values.isna().any() or values.empty:
        return ABSENT
    if column.score == "fit_s":
        return f"{values.mean():.0f}"
    return _spread(values, column.metric) + (_published(column, label) if column.published else "")


def _spread(values: pd.Series, metric: str) -> str:
    """The mean and, of several values, their sample standard deviation."""
    mean = float(values.mean())
    spread = [float(values.std())] if len(values) > 1 else []
    if metric == "error_%":
        return " ± ".join(f"{value:.1f}" for value in (mean, *spread))
    style = metric_format(metric)
    return " ± ".join([number(mean, style), *(number(each, style, mean) for each in spread)])


def _published(column: Column, label: str) -> str:
    method, _, preset = label.removesuffix("]").partition("[")
    entries = find(published(), suite=column.suite, method=method, metric=column.metric)
    printed = [entry.printed for entry in entries if re.search(column.dataset, entry.dataset)]
    if not printed or preset == "no GAN":
        return ""
    return f" ({printed[0].partition('±')[0].removeprefix('0')})"


def _title(title: str, rows: pd.DataFrame) -> str:
    """The title, with parameters of the method in place of their names in braces."""
    texts = {title.format_map(params) for params in rows["params"]}
    if len(texts) > 1:
        raise UserError(f"one row has several budgets: {'; '.join(sorted(texts))}")
    return texts.pop()


def _commands(columns: Sequence[Column], frame: pd.DataFrame) -> Iterator[str]:
    """The commands that make the records of these columns."""
    for suite, profile in dict.fromkeys((column.suite, column.profile) for column in columns):
        chosen = frame[(frame["suite"] == suite) & (frame["profile"] == profile)]
        seeds = sorted(chosen["seed"].unique())
        named = f"{seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
        option = "" if profile == "quick" else f" --profile {profile}"
        yield f"`deep-em-bench run --suite {suite}{option} --seeds {named}`"


def _written(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Each page of ``root``: its path, its text, and the text as it has to be."""
    path = root / "docs" / "tables.toml"
    if not path.exists():
        raise UserError(f"{path} is not there; run this in a checkout, or name one with --root")
    described = tomllib.loads(path.read_text(encoding="utf-8"))
    frame = reference(root / "results" / "reference")

    def block(match: re.Match[str]) -> str:
        if match[1] not in described["tables"]:
            raise UserError(unknown_name(f"table of {path}", match[1], described["tables"]))
        table: dict[str, Any] = dict(described["tables"][match[1]])
        titles = described["titles"] | table.pop("titles", {})
        pairs, columns = table.pop("pairs", []), table.pop("columns", [])
        try:
            shown = [converted(Column, table | entry) for entry in pairs + columns]
        except ValueError as error:
            raise UserError(f"{path}, table {match[1]}: {error}") from error
        lines = pair_table(frame, shown) if pairs else score_table(frame, shown, titles)
        head, *rows = [f"| {' | '.join(line)} |\n" for line in lines]
        text = f"{head}|{'---|' * len(lines[0])}\n{''.join(rows)}"
        commands = "" if pairs else f"\nMade by {', '.join(_commands(shown, frame))}.\n"
        return f"{match[1]}{match[2]}{text}{commands}"

    for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        yield page, text, BLOCK.sub(block, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 where ``--check`` finds a page that is not what would be written."""
    parser = CommandParser("docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: here)")
    options = parser.parse_args(arguments)
    return guarded(lambda: _update(options.root, check=options.check))


def _update(root: Path, *, check: bool) -> int:
    different = [(page, new) for page, old, new in _written(root) if old != new]
    for page, text in different:
        if not check:
            page.write_text(text, encoding="utf-8")
        print(f"{page} {'is out of date: run deep-em-bench docs' if check else 'written'}")
    return int(check and bool(different))


if __name__ == "__main__":
    sys.exit(main())
