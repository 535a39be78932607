import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.core import DataError
from deep_em_bench.results import (
    DatasetUsed,
    Failure,
    MethodUsed,
    Provenance,
    Record,
    Resources,
    Scores,
    replace,
)


def edited(record, change):
    """The record's JSON text after ``change`` had its way with the parsed data."""
    data = json.loads(record.to_json())
    change(data)
    return json.dumps(data).encode()


def test_reading_gives_back_what_was_written(make_record):
    record = make_record()
    assert Record.from_json(record.to_json()) == record


def test_a_failure_is_a_record_too(make_record):
    record = make_record(
        status="diverged",
        error=Failure(type="DivergenceError", message="loss is nan\nin step 3", traceback="..."),
        metrics=Scores(),
        dataset=DatasetUsed(name="mnist"),
        history=(),
    )
    assert Record.from_json(record.to_json()) == record


def test_one_line_a_key_and_the_history_last(make_record):
    lines = make_record().to_json().decode().splitlines()
    assert (
        [line.split('"')[1] for line in lines[1:-1]]
        == [
            *Record.__struct_fields__,
            "iteration",  # the second row of the history; the first stands behind its key
        ][: len(lines) - 2]
    )
    assert lines[-1] == "}"


def test_history_can_be_left_out(make_record):
    record = make_record()
    bare = replace(record, history=())
    assert Record.from_json(record.to_json(), history=False) == bare
    assert Record.from_json(bare.to_json(), history=False) == bare


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("sort_keys", [False, True])
def test_another_layout_reads_the_same(make_record, indent, sort_keys):
    record = make_record()
    text = json.dumps(json.loads(record.to_json()), indent=indent, sort_keys=sort_keys).encode()
    assert Record.from_json(text) == record
    assert Record.from_json(text, history=False) == replace(record, history=())


def test_a_message_that_looks_like_the_layout_does_no_harm(make_record):
    trap = '\n"history": [\n]\n}\n'
    record = make_record(
        status="failed", error=Failure(type="ValueError", message=trap, traceback=trap)
    )
    assert Record.from_json(record.to_json()) == record
    assert Record.from_json(record.to_json(), history=False).error == record.error


@pytest.mark.parametrize("indent", [None, 2])
def test_the_history_alone_is_that_of_the_record(make_record, indent):
    record = make_record()
    assert record.history
    assert Record.history_of(record.to_json()) == record.history
    other = json.dumps(json.loads(record.to_json()), indent=indent).encode()
    assert Record.history_of(other) == record.history
    assert Record.history_of(replace(record, history=()).to_json()) == ()


@pytest.mark.parametrize("row", [b"3", b'{"loss": NaN}', b'{"loss": '])
def test_a_damaged_history_is_named(make_record, row):
    text = make_record(history=({"loss": 1.0},)).to_json().replace(b'{"loss": 1.0}', row)
    with pytest.raises(DataError, match=r"runs/x.json.*(damaged|`history\[0\]`)"):
        Record.history_of(text, where="runs/x.json")


def test_a_truncated_file_is_found_out_without_its_history_too(make_record):
    text = make_record().to_json()
    for end in range(1, len(text) - 1, 7):
        with pytest.raises(DataError, match="delete it and run the cell again"):
            Record.from_json(text[:end], history=False)


def test_numbers_that_are_not_finite(make_record):
    record = make_record(
        history=({"loss": math.nan, "shares": [math.inf, 0.5]},),
        metrics=Scores(train={"fid": -math.inf, "error_rate": 0.5}),
        method=MethodUsed(name="kmeans", preset="default", params={"clip": math.inf}),
        dataset=DatasetUsed(name="blobs", words={"std": math.nan}),
    )
    read = Record.from_json(record.to_json())
    assert read.history == ({"loss": None, "shares": [None, 0.5]},)
    assert read.metrics.train == {"fid": None, "error_rate": 0.5}
    assert read.method.params == {"clip": "inf"}
    assert read.dataset.words == {"std": "nan"}


def test_numpy_values_become_plain_ones(make_record):
    row = {"loss": np.float32(0.5), "n": np.int64(3), "ok": np.bool_(True), "x": np.arange(2)}
    read = Record.from_json(make_record(history=(row,)).to_json())
    assert read.history == ({"loss": 0.5, "n": 3, "ok": True, "x": [0, 1]},)


ITSELF: list[object] = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    "value",
    [object(), {"layers": [object()]}, ITSELF, 10**400, 10**5000, {1j: 2}, "\ud800"],
    ids=range(7),
)
def test_what_json_cannot_hold_is_named(make_record, value):
    record = make_record(history=({"net": value},))
    with pytest.raises(DataError, match=r"history\[0\]"):
        record.to_json()


def test_what_is_written_is_what_the_schema_admits(make_record):
    """A struct does not check its own arguments, and a method may have any attributes."""
    for field in ({"precision": 8}, {"compile": "yes"}):
        record = make_record(resources=Resources(**field))
        with pytest.raises(DataError, match=rf"`resources.{next(iter(field))}` is "):
            record.to_json()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.pop("seed"), "key 'seed' is missing"),
        (lambda d: d["method"].pop("name"), "method: key 'name' is missing"),
        (lambda d: d.update(sede=3), "unknown key 'sede'; did you mean 'seed'"),
        (lambda d: d["timing"].update(fit=3), "timing: unknown key 'fit'; did you mean 'fit_s'"),
        (lambda d: d.update(seed="3"), "key `seed` is '3'; expected int"),
        (lambda d: d.update(seed=True), "key `seed` is True; expected int"),
        (lambda d: d.update(seed=10**400), "key `seed` is 1000"),
        (lambda d: d.update(n_clusters=2.5), "key `n_clusters` is 2.5; expected int"),
        (lambda d: d.update(label=None), "key `label` is None; expected str"),
        (lambda d: d.update(status="fine"), "status: unknown value 'fine'; .*Known: diverged"),
        (lambda d: d.update(history={}), "key `history` is {}; expected array"),
        (lambda d: d.update(history=[3]), r"key `history\[0\]` is 3; expected object"),
        (lambda d: d["metrics"]["train"].update(ari="x"), r"key `metrics.train\[...\]`: expected"),
        (lambda d: d["metrics"].update(test=None), "key `metrics.test` is None"),
        (lambda d: d.update(status="failed"), "key `error` is null with status 'failed'"),
        (
            lambda d: d.update(error={"type": "E", "message": "", "traceback": ""}),
            "key `error` is 'E' with status 'ok'",
        ),
        (lambda d: d.update(key="abc"), "key `key` is 'abc', expected 64 hexadecimal"),
        (lambda d: d.update(schema=1), "key `schema` is 1, this version reads 2"),
    ],
)
@pytest.mark.parametrize("history", [True, False])
def test_what_is_wrong_is_named_with_file_and_key(make_record, change, says, history):
    text = edited(make_record(), change)
    with pytest.raises(DataError, match=f"^runs/x.json: {says}"):
        Record.from_json(text, where="runs/x.json", history=history)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b'"x"', b"{", b"{}", b"[" * 100_000, b"\x00", b"\xff"]
)
def test_text_that_is_no_record_is_refused(text):
    with pytest.raises(DataError, match=r"^a.json"):
        Record.from_json(text, where="a.json")


def test_bare_nan_is_refused(make_record):
    text = make_record().to_json().replace(b"0.25", b"NaN")
    with pytest.raises(DataError, match="damaged: not JSON"):
        Record.from_json(text)


def test_a_record_is_consistent_from_the_start(make_record):
    with pytest.raises(DataError, match="`error` is null"):
        make_record(status="timeout")
    with pytest.raises(DataError, match="64 hexadecimal"):
        make_record(key="0" * 63 + "g")


@settings(max_examples=50, deadline=None)
@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**60), 2**60))
def test_text_and_numbers_survive(text, number, integer):
    params = {text: number, "n": integer, "text": text}
    used = MethodUsed(name=text, preset="p", params=params)
    record = Record(
        key="0" * 64,
        suite=text,
        profile="quick",
        label=text,
        dataset=DatasetUsed(name="digits"),
        n_clusters=1,
        method=used,
        seed=integer,
        status="ok",
        provenance=Provenance(package=text, metrics_version="1"),
    )
    assert Record.from_json(record.to_json()) == record
    assert Record.from_json(record.to_json(), history=False) == record


def test_title_of_the_data():
    assert DatasetUsed(name="digits").title == "digits"
    used = DatasetUsed(name="mnist", words={"subset": 100, "split": "all", "features": None})
    assert used.title == "mnist(split=all, subset=100)"


def test_what_older_records_lack_has_its_default(make_record):
    record = make_record()

    def older(data):
        del data["dataset"]["class_names"]
        del data["resources"]["compile"]
        del data["metrics"]["real"], data["generation"], data["extractors"]

    read = Record.from_json(edited(record, older))
    assert read == record
    assert (read.dataset.class_names, read.resources.compile) == ((), None)
    assert (read.metrics.real, read.generation, read.extractors) == ({}, {}, ())
