"""Tables, figures and sections as an HTML page shows them, and the templates that write them.

Whatever comes from data is escaped where it is written, here and nowhere else; no page refers to
anything outside itself, and its policy forbids browsers to load or run what it did not come with.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup, escape

from deep_em_bench.reports.text import ABSENT, PIECES

__all__ = [
    "Cell",
    "Column",
    "Group",
    "Part",
    "Picture",
    "Section",
    "Table",
    "number_cell",
    "printable",
    "rendered_page",
    "text_cell",
]

UNPRINTABLE = re.compile(r"\\[bfru]")
"""How JSON writes characters that :func:`printable` replaces, those that it leaves as they are
aside."""

HEAD = 20
"""Characters of a name from which it breaks."""

WORDS, LONG = 24, 200
"""Characters of a cell from which it is set in lines, and in small type."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """Head of a column; the first of a table names its rows."""

    name: str
    arrow: str = ""
    """Which values are better: "↑", "↓" or neither."""
    hint: str = ""
    """Said when the pointer rests on it."""
    numeric: bool = True


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One entry of a table."""

    text: str
    value: float | str | None = None
    """What it sorts by; None comes last in either direction."""
    spread: str = ""
    """Set in small type after the text."""
    best: bool = False
    tag: str = ""
    """A remark on the text, such as "mixed code"."""
    rows: tuple[int, ...] = ()
    """The rows of the report whose cells the text leads to; few enough for an attribute."""
    href: str = ""
    more: str = ""
    """Text of several lines that opens below, such as a traceback."""
    items: tuple[str, ...] = ()
    """A list below the text."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Lines that stay together when the table is sorted, under a title or none."""

    title: str = ""
    lines: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with what is said above and below it."""

    title: str
    """Read out before it, and shown where it is small or folded."""
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    folded: bool = False
    """Opens at a click, and in print."""
    small: bool = False
    """Stands abreast with others."""
    href: str = ""
    """Where the title of a small one leads: to the cell that it is of."""

    @property
    def n_lines(self) -> int:
        """Of all groups."""
        return sum(len(group.lines) for group in self.groups)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure: embedded, or named where the page would become too large."""

    file: str
    title: str
    alt: str
    png: bytes | None
    """None: it lies beside the page."""

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        assert self.png is not None, "only asked for where there is one"
        return "data:image/png;base64," + base64.b64encode(self.png).decode()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the file's header."""
        assert self.png is not None, "only asked for where there is one"
        return int.from_bytes(self.png[16:20]), int.from_bytes(self.png[20:24])


@dataclass(frozen=True, kw_only=True)
class Part:
    """Tables and figures that belong together, mostly those of one block."""

    title: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A chapter of the page with its place in the contents."""

    name: str
    """Of its anchor: letters and hyphens."""
    title: str
    parts: tuple[Part, ...]
    intro: str = ""


def text_cell(text: str, **words: Any) -> Cell:
    """A cell that sorts by its text, an empty one last; ``words`` are those of :class:`Cell`."""
    return Cell(text=text or ABSENT, value=text or None, **words)


def number_cell(value: float | None, text: str, **words: Any) -> Cell:
    """A cell that sorts by ``value`` and shows ``text``; a dash without a value."""
    return Cell(text=ABSENT if value is None else text, value=value, **words)


def rendered_page(template: str, data: Mapping[str, Any] | None = None, **words: Any) -> str:
    """The page that ``template`` makes of ``words``; its script finds ``data`` as JSON."""
    environment = _environment()
    style, script = (Markup(_source(name)) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    page = environment.get_template(template)
    return page.render(
        style=style, script=script, policy=policy, data=Markup(_embedded(data or {})), **words
    )


def printable(value: Any) -> Any:
    """``value`` with every unprintable character of its strings as its code point.

    Among them are those that no file can hold (half of a pair) and those that turn the direction
    of writing around; line breaks and tabs stay.

    >>> printable({"a\\x07": ["b\\u202e", 1]})
    {'a[U+0007]': ['b[U+202E]', 1]}
    """
    if isinstance(value, str) and not isinstance(value, Markup):
        return value if value.isprintable() else "".join(map(_shown, value))
    if isinstance(value, Mapping):
        return {printable(str(key)): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return " " if character.isspace() else f"[U+{ord(character):04X}]"


def cell_markup(cell: Cell, column: Column, first: bool) -> Markup:
    """A cell as HTML; by a template, the fifty thousand cells of a large suite take seconds."""
    tag = "th" if first else "td"
    text, shown = _named(cell.text) if first else _escaped(cell.text), [f"<{tag}"]
    if first:
        shown.append(' scope="row"')
    if column.numeric:
        shown.append(' class="n"')
    if cell.value is None:
        shown.append(" data-none")
    elif column.numeric or cell.value != cell.text:
        shown.append(f' data-v="{_escaped(str(cell.value))}"')
    shown.append(">")
    named = ' class="label"' if first else ""
    best = f"<b>{text}</b>" if cell.best else text
    if cell.rows:
        rows = " ".join(map(str, cell.rows))
        shown.append(f'<a{named} href="#cells" data-row="{rows}">{best}</a>')
    elif cell.href:
        shown.append(f'<a{named} href="{_escaped(cell.href)}">{best}</a>')
    elif first:
        shown.append(f'<span class="label">{best}</span>')
    elif len(cell.text) > WORDS:
        shown.append(f'<span class="{"long" if len(cell.text) > LONG else "words"}">{best}</span>')
    else:
        shown.append(best)
    if cell.best:
        shown.append('<span class="aside"> (best)</span>')
    if cell.spread:
        shown.append(f'<span class="pm">{_escaped(cell.spread)}</span>')
    if cell.tag:
        shown.append(f' <span class="tag">{_escaped(cell.tag)}</span>')
    if cell.more:
        shown.append('<details class="trace"><summary>Traceback</summary>')
        shown.append(f"<pre>{_escaped(cell.more)}</pre></details>")
    if cell.items:
        listed = "".join(f"<li>{_escaped(item)}</li>" for item in cell.items)
        shown.append(f"<ul>{listed}</ul>")
    shown.append(f"</{tag}>")
    return Markup("".join(shown))


def head_markup(name: str) -> Markup:
    """The name of a column; a long one breaks after its signs."""
    text = _named(name)
    return Markup(text if len(name) <= HEAD else f'<span class="head">{text}</span>')


def _named(name: str) -> str:
    """A name, which may break after its signs where it is long."""
    if len(name) <= HEAD:
        return _escaped(name)
    return "<wbr>".join(_escaped(piece) for piece in PIECES.findall(name))


def _escaped(text: str) -> str:
    return str(escape(printable(text)))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("deep_em_bench.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"cell": cell_markup, "head": head_markup}
    return environment


def _source(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None, "set where it is made"
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _dumped(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    text = _dumped(data)
    if not text.isprintable() or UNPRINTABLE.search(text):
        text = _dumped(printable(data))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
