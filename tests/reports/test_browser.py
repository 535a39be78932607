"""The page as a browser shows it; skipped where chromium is not on the PATH."""

import itertools
import json
import shutil

import numpy as np
import pytest
from msgspec import structs

from deep_em_bench.reports.data.gathered import Choice, gathered
from deep_em_bench.reports.render.page import Listed, index_page
from deep_em_bench.reports.report import Report
from deep_em_bench.results import Scores, Store
from tests.reports.browser import Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip(
            "needs chromium or chromium-browser on the PATH; get it on Debian with: "
            "apt-get install --no-install-recommends chromium"
        )
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def opened(browser, tmp_path, make_record):
    """Opens the page of some records with their figures, and keeps the browser's messages."""

    def opened(records, *, arrays=None, **view):
        store = Store(tmp_path / "digits_raw")
        kept = [store.write(r, arrays if r.status == "ok" else None) for r in records]
        assert kept
        report = Report(data=gathered(store, Choice(mixed=True)), most=0 if arrays else 1)
        report.write(tmp_path, ["page"])
        path = tmp_path / "digits_raw" / "index.html"
        browser.open(path, **view)
        return path

    yield opened
    assert browser.complaints == []
    assert all(url.startswith(("file:", "data:image/png")) for url in browser.requests)


@pytest.fixture
def records(make_record):
    """Three methods over three seeds; one run of the last failed, and all of one more."""
    values = {"kmeans": (0.2, 0.3, 0.25), "b": (0.1, 0.15, 0.11), "a10": (0.9, 0.95, None)}
    return [
        make_record(label, seed, {"error_rate": value, "nmi": 1 - value, "active_clusters": 9.0})
        if value is not None
        else make_record(label, seed, status="diverged", error="DivergenceError: loss is nan")
        for label, scores in (values | {"a9": (None,) * 3}).items()
        for seed, value in enumerate(scores)
    ]


FIRSTS = """[...document.querySelectorAll('{0} tbody tr:not(.detail):not(.group)')]
    .filter((row) => !row.hidden).map((row) => row.cells[{1}].textContent.trim())"""


def column(browser, table, i=0):
    return browser.run(FIRSTS.format(table, i))


def click(browser, selector, i=0):
    browser.run(f"document.querySelectorAll({json.dumps(selector)})[{i}].click()")


def write(browser, selector, text):
    browser.run(
        f"(box => {{ box.value = {json.dumps(text)}; box.dispatchEvent(new Event('input')); }})"
        f"(document.querySelector({json.dumps(selector)}))"
    )


ARRAYS = {"y_train": np.arange(40) % 10, "labels_train": np.arange(40) % 9}


def test_nothing_is_complained_of_and_every_image_shows(browser, opened, records):
    opened(records, arrays=ARRAYS)
    shown = browser.run("[...document.images].map((image) => image.naturalWidth)")
    assert len(shown) >= 2
    assert min(shown) > 100
    assert browser.run("document.querySelector('h1').textContent") == "digits_raw"
    assert [url for url in browser.requests if url.startswith("file:")] == browser.requests[:1]


def test_sorting_sorts_numbers_as_numbers_and_failures_last(browser, opened, records):
    opened(records)
    before = column(browser, "#scores > .scroll")
    assert before == ["K-means", "a10", "a9", "b"]
    heads = "#scores thead button"
    click(browser, heads, 1)
    assert column(browser, "#scores > .scroll") == ["a10", "K-means", "b", "a9"]
    click(browser, heads, 1)
    assert column(browser, "#scores > .scroll") == ["b", "K-means", "a10", "a9"]
    click(browser, heads, 1)
    assert column(browser, "#scores > .scroll") == before
    click(browser, heads, 0)
    order = column(browser, "#scores > .scroll")
    assert order == ["a9", "a10", "b", "K-means"], "9 is before 10"


def test_the_order_is_told_to_those_who_cannot_see_it(browser, opened, records):
    opened(records)
    click(browser, "#scores thead button", 1)
    click(browser, "#scores thead button", 2)
    heads = "[...document.querySelectorAll('#scores table')[0].tHead.rows[0].cells].map"
    sorted_by = browser.run(f"{heads}((head) => head.getAttribute('aria-sort'))")
    assert sorted_by[:3] == [None, None, "ascending"]
    assert "sorted by NMI" in browser.run("document.getElementById('said').textContent")


def test_the_keyboard_is_enough(browser, opened, records):
    opened(records)
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    browser.press("Enter")
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Method"
    browser.press("Tab")
    browser.press("Enter")
    assert column(browser, "#scores > .scroll")[0] == "a10"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert browser.run(outline) != "none"


def test_filtering_filters(browser, opened, make_record):
    opened([make_record(f"method {i}", 0, {"ari": i / 10}) for i in range(8)])
    write(browser, "#scores input", "METHOD 3")
    assert column(browser, "#scores table[data-filter]") == ["method 3"]
    assert browser.run("document.querySelector('#scores output').textContent") == "1 of 8 rows"
    write(browser, "#scores input", "nothing like it")
    assert column(browser, "#scores table[data-filter]") == []
    write(browser, "#scores input", "")
    assert len(column(browser, "#scores table[data-filter]")) == 8


def test_cells_are_filtered_sorted_and_opened(browser, opened, records):
    opened(records)
    assert len(column(browser, "#runs")) == 12
    write(browser, "#runs input", "diverged seed=2")
    assert column(browser, "#runs") == ["a10", "a9"]
    write(browser, "#runs input", "")
    click(browser, "#runs thead button", 3)
    assert column(browser, "#runs", 3)[:2] == [".050", ".100"]
    assert column(browser, "#runs", 3)[-4:] == ["–"] * 4
    write(browser, "#runs input", "nan seed=2 a10")
    click(browser, "#runs .open")
    text = browser.run("document.querySelector('#runs .detail').textContent")
    assert "DivergenceError" in text
    assert "loss is nan" in text
    assert "codev1" in text
    assert browser.run("document.querySelector('.open').getAttribute('aria-expanded')") == "true"
    click(browser, "#runs .open")
    assert browser.run("document.querySelectorAll('#runs .detail').length") == 0


def test_a_number_leads_to_its_cells_and_back(browser, opened, records):
    opened(records)
    click(browser, "#scores a[data-row='1']")
    assert column(browser, "#runs") == ["a10"] * 3
    assert browser.run("document.activeElement.id") == "runs-title"
    click(browser, "#runs .tools button")
    assert len(column(browser, "#runs")) == 12


def test_two_rows_are_picked_and_compared(browser, opened, make_record):
    scores = {"a": [0.1 * i for i in range(8)], "b": [0.1 * i + 0.05 for i in range(8)]}
    opened(
        [make_record(k, s, {"ari": v}) for k, each in scores.items() for s, v in enumerate(each)]
    )
    result = "document.getElementById('pair-result').textContent"
    assert (
        browser.run(result)
        == "b minus a: +.050, 95 % interval [+.050, +.050]; 8 pairs, larger in 8."
    )
    browser.run("(s => { s.selectedIndex = 0; s.dispatchEvent(new Event('change')); })"
                "(document.querySelectorAll('#pair select')[1])")  # fmt: skip
    assert browser.run(result).startswith("a minus a: .000")


def test_clusters_open_their_run_with_all_that_is_known_of_it(browser, opened, records):
    opened(records, arrays=ARRAYS)
    click(browser, "#clusters caption a")
    browser.until("document.querySelectorAll('#runs .detail').length === 1")
    text = browser.run("document.querySelector('#runs .detail').textContent")
    for part in ("Method", "Metrics", "Seconds", "Provenance", "Resources", records[0].key):
        assert part in text


def test_headings_and_names_are_in_order(browser, opened, records):
    opened(records, arrays=ARRAYS)
    click(browser, "#runs .open")
    levels = browser.run("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert max(after - before for before, after in itertools.pairwise(levels)) <= 1
    every = "[...document.querySelectorAll({!r})].every({})"
    assert browser.run(every.format("button, a, summary", "e => e.hidden || e.textContent.trim()"))
    assert browser.run(every.format("table", "t => t.caption && t.caption.textContent.trim()"))
    assert browser.run(every.format("thead th, tbody th", "h => h.scope"))
    assert browser.run(every.format("input, select", "e => e.labels.length === 1"))
    assert browser.run(every.format("img", "i => i.alt.length > 10"))


def test_a_key_in_the_address_opens_its_cell(browser, opened, records):
    path = opened(records)
    key = records[4].key
    browser.run(f"location.hash = '{key}'")
    browser.until("document.querySelectorAll('#runs .detail').length === 1")
    assert key in browser.run("document.querySelector('#runs .detail').textContent")
    assert path.is_file()


def test_thousands_of_cells_come_in_parts(browser, opened, make_record):
    opened([make_record(f"m{i}", s, {"ari": s / 500}) for i in range(2) for s in range(300)])
    assert len(column(browser, "#runs")) == 200
    assert "600 runs" in browser.run("document.querySelector('#runs output').textContent")
    click(browser, "#runs .more button", 1)
    assert len(column(browser, "#runs")) == 600


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_scrolls_tables_and_not_the_page(browser, opened, records, make_record, dark):
    long = [make_record("w" * 300, 0, {"error_rate": 0.5}, params={"x" * 200: "y" * 200})]
    opened([*records, *long], arrays=ARRAYS, width=375, height=760, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") == 375
    box = "document.querySelector('#scores .scroll')"
    assert browser.run(f"{box}.scrollWidth > {box}.clientWidth")
    browser.run(f"{box}.scrollLeft = 200")
    left = "document.querySelector('#scores tbody th').getBoundingClientRect().left"
    assert 0 <= browser.run(left) < 40, "the names stay"
    colour = browser.run("getComputedStyle(document.documentElement).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") is not dark


def test_names_and_errors_run_nothing(browser, opened, make_record):
    hostile = [
        "<script>window.broken = 1</script>",
        "</script><script>window.broken = 1</script>",
        '"><img src=x onerror="window.broken = 1">',
    ]
    records = [make_record(h, 0, {"error_rate": 0.1}, params={h: h}) for h in hostile]
    records += [make_record(f"f{h}", 0, status="failed", error=f"E: {h}\n{h}") for h in hostile]
    opened(records)
    for i in range(len(records)):
        click(browser, "#runs .open", i)
    write(browser, "#runs input", hostile[0])
    assert set(column(browser, "#runs")) == {f + h for f in ("", "f") for h in hostile[:2]}
    assert browser.run("window.broken") is None
    assert browser.run("[...document.images].every((i) => i.src.startsWith('data:image/png'))")


def test_print_shows_what_is_folded_and_no_controls(browser, opened, records):
    opened([structs.replace(r, metrics=_more(r)) for r in records])
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.call("Emulation.setEmulatedMedia", media="print")
    hidden = "[...document.querySelectorAll({!r})].every((e) => e.getClientRects().length === 0)"
    assert browser.run(hidden.format(".tools label, nav, .more"))
    assert browser.run("[...document.querySelectorAll('details.fold')].every((e) => e.open)")
    browser.call("Emulation.setEmulatedMedia", media="")
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("[...document.querySelectorAll('details.fold')].every((e) => !e.open)")


def _more(record):
    scores = record.metrics.train
    return Scores(train={**scores, "rand_index": 0.5} if scores else {})


def test_the_index_opens(browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(index_page([Listed(name="digits_raw", best="ARI .9, b"), Listed(name="none")]))
    browser.open(path)
    assert column(browser, "#suites") == ["digits_raw", "none"]
    assert column(browser, "#suites", 5) == ["ARI .9, b", "–"]
    assert browser.complaints == []
