"""The records that come with the project can be read by the code that comes with them."""

from pathlib import Path

import results

REFERENCE = Path(results.__file__).parent / "reference"


def test_reference_records_are_read():
    paths = sorted(REFERENCE.glob("*/*.json"))
    assert len(paths) > 50
    for path in paths:
        record = results.Record.from_json(path.read_text(encoding="utf-8"), where=str(path))
        assert (record.suite, record.key) == (path.parent.name, path.stem)
