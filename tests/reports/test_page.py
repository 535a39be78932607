"""What every page must hold, whatever the records say: it is sound, self-contained and escaped."""

import base64
import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.reports.data.gathered import Choice, gathered
from deep_em_bench.reports.data.tracebacks import traceback_of
from deep_em_bench.reports.render.html import printable
from deep_em_bench.reports.render.page import Listed, index_page, listed
from deep_em_bench.reports.report import Report
from deep_em_bench.results import Failure, replace
from tests.reports.html_tree import Element, data, lines, one, parsed, section

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "' onmouseover='alert(4)",
    "<!-- --> ]]> &amp; \\u003c",
    "{{ 7 * 7 }}{% raise %}",
    "\u202edesrever \x00\x1b[31m \ud800",
    "W" * 300,
    "two\nlines",
]


@pytest.fixture
def paged(store, tmp_path):
    """The page of some records, parsed; with no figure unless they have arrays."""

    def make(records, *, arrays=None, rows=None):
        for record in records:
            store.write(record, arrays if record.status == "ok" else None)
        results = gathered(store, Choice(mixed=True), rows=rows)
        Report(data=results, most=0 if arrays else 1).write(tmp_path / "out", ["page"])
        return parsed((tmp_path / "out" / "digits_raw" / "index.html").read_text("utf-8"))

    return make


@pytest.fixture
def hostile(make_record):
    """Records with names, settings and errors that would break out of a page."""
    good = [
        make_record(label, seed, {"error_rate": 0.1, label: 0.5}, params={label: label})
        for label in HOSTILE
        for seed in range(2)
        if "\ud800" not in label
    ]
    bad = [
        make_record(f"failing {e}", status="failed", error=f"E{e}: {e}\nmore {e}") for e in HOSTILE
    ]
    return [*good, *(r for r in bad if "\ud800" not in r.label)]


@pytest.fixture(params=["usual", "hostile", "failures alone", "several blocks", "index"])
def any_page(request, paged, hostile, suite_records, make_record):
    if request.param == "usual":
        return paged(suite_records)
    if request.param == "hostile":
        return paged(hostile)
    if request.param == "failures alone":
        return paged([make_record("a", s, status="timeout") for s in range(2)])
    if request.param == "several blocks":
        return paged(
            [make_record(n, 0, {"ari": 0.5}, n_clusters=k) for k in (5, 10) for n in "ab"]
        )
    return parsed(index_page([Listed(name="a", methods=2, runs=3), Listed(name=HOSTILE[0])]))


def test_the_page_is_sound(any_page):
    root = any_page
    assert len(root.all("h1")) == len(root.all("main")) == len(root.all("header")) == 1
    assert root.all("html")[0].attributes["lang"] == "en"
    ids = [e.attributes["id"] for e in _elements(root) if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for link in root.all("a"):
        href = link.attributes["href"]
        assert not href.startswith("#") or href[1:] in ids
    assert root.all("a")[0].attributes["href"] == "#main"
    for table in root.all("table"):
        assert table.all("caption")[0].text
        assert all(th.attributes["scope"] in ("col", "row", "rowgroup") for th in table.all("th"))
        width = len(table.all("thead")[0].all("th"))
        for row in table.all("tr"):
            cells = [c for c in row.children if isinstance(c, Element)]
            assert sum(int(c.attributes.get("colspan", 1)) for c in cells) == width


def _elements(element):
    for child in element.children:
        if isinstance(child, Element):
            yield child
            yield from _elements(child)


def test_nothing_is_loaded_from_elsewhere(any_page):
    for element in _elements(any_page):
        for name, value in element.attributes.items():
            assert not name.startswith("on"), "no handlers in the text"
            assert name != "style"
            if name in ("src", "href", "action", "data", "srcset"):
                local = re.fullmatch(r"#[\w-]+|data:image/png;base64,[\w+/=]+", value)
                assert local or ":" not in value
        assert element.name not in ("link", "iframe", "object", "embed", "base", "form")
    style = one(any_page, "style").text
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_names_the_style_and_the_script_and_no_other(any_page):
    policy = next(
        m.attributes["content"] for m in any_page.all("meta") if "http-equiv" in m.attributes
    )
    scripts = [s for s in any_page.all("script") if s.attributes.get("type") is None]
    assert len(scripts) == 1
    for kind, element in (("style", one(any_page, "style")), ("script", scripts[0])):
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_whatever_is_foreign_is_shown_and_not_obeyed(paged, hostile):
    root = paged(hostile)
    assert len(root.all("script")) == 2
    text = " ".join(section(root, "scores").text.split())
    for each in HOSTILE:
        if "\ud800" not in each:
            assert " ".join(printable(each).split()) in text
    embedded = one(root, "script", id="data").text
    assert not set("<>&") & set(embedded)
    assert data(root)["suite"] == "digits_raw"


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_printable_and_printable_text_stays(text):
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert printable(shown) == shown
    shown.encode()
    if text.isprintable():
        assert shown == text


def test_the_page_opens_with_what_was_run(paged, suite_records):
    root = paged(suite_records, rows=["kmeans"])
    status = one(root, "dl", **{"class": "status"})
    facts = dict(
        zip((e.text for e in status.all("dt")), (e.text for e in status.all("dd")), strict=True)
    )
    assert next(iter(facts)).startswith("Comparable with published numbers")
    assert facts["Profile"] == "quick"
    assert "gan_em[stable]" in facts["Left out"]


def test_figures_stand_with_caption_and_pdf(paged, make_record):
    root = paged([make_record("kmeans", s, {"error_rate": 0.2 + s / 10}) for s in range(3)])
    figure = root.all("figure")[0]
    assert figure.all("img")[0].attributes["alt"].startswith("Scores by method and seed.")
    files = [a.attributes["href"] for a in figure.all("a")]
    assert [name.rpartition(".")[2] for name in files] == ["pdf", "png", "txt"]
    assert "a point a run" in figure.text


def test_the_index_shows_scores(gather, suite_records, tmp_path):
    line = listed(gather(suite_records))
    assert (line.ended, line.runs, line.methods) == (5, 6, 2)
    assert line.best == "Accuracy .870, GAN-EM (stable)"
    root = parsed(index_page([line]))
    assert lines(root.all("table")[0])[1][4:6] == ["5/6", line.best]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/lib/python3.11/site-packages/torch/nn/m.py", "torch/nn/m.py"),
        ("/opt/src/methods/gan_em/steps.py", "deep_em_bench/methods/gan_em/steps.py"),
        ("/a/deep_em_bench/core/seeds.py", "deep_em_bench/core/seeds.py"),
        ("/secret/project/mine.py", "project/mine.py"),
    ],
)
def test_tracebacks_name_no_folder_of_the_machine(path, shown):
    error = Failure(type="E", message="m", traceback=f'  File "{path}", line 3, in f')
    assert traceback_of(error) == f'File "{shown}", line 3, in f'


def test_a_page_names_no_folder_of_the_machine(paged, make_record):
    text = 'File "/home/me/secret/mine.py", line 3, in f'
    error = Failure(type="E", message="m", traceback=text)
    failed = replace(make_record("kmeans", status="failed"), error=error)
    root = paged([failed, make_record("gmm", 0, {"error_rate": 0.2})])
    assert "secret/mine.py" in root.text
    assert "/home/me" not in root.text


def test_a_long_traceback_loses_its_middle():
    text = traceback_of(Failure(type="E", message="m", traceback="x" * 9000))
    assert len(text) < 4100
    assert "characters left out" in text
