"""The records that come with the project are read by its code and are cells of its suites."""

from collections import Counter
from pathlib import Path

from deep_em_bench import results
from deep_em_bench.benchmarks.engine.provenance import loaded
from deep_em_bench.benchmarks.plan import Selection, plan
from deep_em_bench.benchmarks.replay import cell_of
from deep_em_bench.benchmarks.suite import Suite, suite_files

REFERENCE = Path(results.__file__).parent / "reference"


def test_reference_records_are_read():
    paths = sorted(REFERENCE.glob("*/*.json"))
    assert len(paths) > 50
    for path in paths:
        record = results.Record.from_json(path.read_bytes(), where=str(path))
        assert (record.suite, record.key) == (path.parent.name, path.stem)


def test_reference_records_of_todays_versions_are_cells_of_their_suites():
    strangers: Counter[tuple[str, str]] = Counter()
    n_cells = 0
    for store in results.stores(root=REFERENCE):
        name, records = store.folder.name, [r for r in store if not is_stale(r)]
        for profile in {record.profile for record in records} if name in suite_files() else ():
            held = [record for record in records if record.profile == profile]
            seeds = tuple(sorted({record.seed for record in held}))
            cells = plan(Suite.find(name), profile, Selection(seeds=seeds))
            params = {cell.key: dict(cell.params) for cell in cells}
            n_cells += len(held)
            for record in held:
                # What --replay runs is the cell, also where it has a parameter more by now.
                if params.get(record.key) != cell_of(record).params:
                    strangers[name, record.label] += 1
    listed = [f"{n} of {suite}, {label}" for (suite, label), n in sorted(strangers.items())]
    assert not listed, "records that are no cells, run these again:\n" + "\n".join(listed)
    assert n_cells > 50


def is_stale(record: results.Record) -> bool:
    return record.provenance.method_version != loaded(record.method.name).method_version


def test_the_seeds_of_a_row_are_of_one_code_version():
    """Reports show no others together unless they are told to."""
    versions: dict[tuple[object, ...], set[str]] = {}
    for store in results.stores(root=REFERENCE):
        for r in store.load(history=False):
            row = (r.suite, r.profile, r.dataset.title, r.n_clusters, r.label)
            versions.setdefault(row, set()).add(r.provenance.code)
    assert not [row for row, found in versions.items() if len(found) > 1]
