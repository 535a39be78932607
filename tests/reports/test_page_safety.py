"""What every page must hold, whatever the records say: it is sound, self-contained and escaped."""

import base64
import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deep_em_bench.reports.page import Suite, index, page
from deep_em_bench.reports.stored import Stored
from deep_em_bench.reports.summary import summarise
from deep_em_bench.reports.web import printable
from tests.reports.html_tree import PNG, Element, data, lines, one, parsed, section

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "' onmouseover='alert(4)",
    "<!-- --> ]]> &amp; \\u003c",
    "{{ 7 * 7 }}{% raise %}",
    "\u202edesrever \x00\x1b[31m",
    "W" * 300,
    "two\nlines",
]


@pytest.fixture
def paged(store):
    """The page of some records, parsed."""

    def make(records, *, figures=None, mixed=False, arrays=None, **words):
        kept = [store.write(r, arrays if r.status == "ok" else None) for r in records]
        blocks = summarise(kept, mixed=mixed)
        return parsed(page("digits_raw", blocks, Stored(store), figures or {}, **words))

    return make


@pytest.fixture
def hostile(make_record):
    """Records with names, settings and errors that would break out of a page."""
    good = [
        make_record(label, seed, {"error_rate": 0.1, label: 0.5}, params={label: label})
        for label in HOSTILE
        for seed in range(2)
    ]
    bad = [
        make_record(f"failing {e}", status="failed", error=f"E{e}: {e}\nmore {e}") for e in HOSTILE
    ]
    return [*good, *bad]


@pytest.fixture(params=["usual", "hostile", "failures alone", "several blocks", "index"])
def any_page(request, paged, hostile, suite_records, make_record):
    if request.param == "usual":
        return paged(suite_records, figures={"points-x.png": PNG})
    if request.param == "hostile":
        return paged(hostile)
    if request.param == "failures alone":
        return paged([make_record("a", s, status="timeout") for s in range(2)])
    if request.param == "several blocks":
        return paged([make_record("a", 0, {"ari": 0.5}, n_clusters=k) for k in (5, 10)])
    return parsed(index([Suite(name="a", records=suite_records), Suite(name=HOSTILE[0])]))


def test_the_page_is_sound(any_page):
    root = any_page
    assert len(root.all("h1")) == len(root.all("main")) == len(root.all("header")) == 1
    assert root.all("html")[0].attributes["lang"] == "en"
    ids = [e.attributes["id"] for name in NAMES for e in root.all(name) if "id" in e.attributes]
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


NAMES = (
    "section",
    "main",
    "h1",
    "h2",
    "div",
    "p",
    "script",
    "table",
    "tr",
    "a",
    "span",
    "details",
)


def test_nothing_is_loaded_from_elsewhere(any_page):
    def elements(element):
        for child in element.children:
            if isinstance(child, Element):
                yield child
                yield from elements(child)

    for element in elements(any_page):
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


def test_whatever_is_foreign_is_shown_and_not_obeyed(paged, hostile, store):
    root = paged(hostile)
    assert len(root.all("script")) == 2
    assert root.all("img") == []
    labels = {" ".join(row[0].split()) for row in lines(section(root, "scores").all("table")[0])}
    for text in HOSTILE:
        assert " ".join(printable(text).split()) in labels
    told = {row["label"] for row in data(root)["rows"]}
    assert {printable(text) for text in HOSTILE} <= told
    page("digits_raw", summarise(hostile), Stored(store), {}).encode()


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_printable_and_printable_text_stays(text):
    found = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in found)
    assert printable(found) == found
    found.encode()
    if text.isprintable():
        assert found == text


def test_embedded_json_cannot_end_its_element(paged, hostile):
    root = paged(hostile)
    text = one(root, "script", id="data").text
    assert not set("<>&") & set(text)
    assert data(root)["suite"] == "digits_raw"


def test_a_title_with_quotes(store, make_record):
    blocks = summarise([make_record("a", 0, {"ari": 0.5})])
    name = '"quoted" & <b>\'s'
    text = page(name, blocks, Stored(store), {})
    assert one(parsed(text), "title").text == f"{name} · deep-em-bench"
    assert one(parsed(text), "h1").text == name
