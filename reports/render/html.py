"""Tables as HTML, and the templates that make a page of them.

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
from typing import Any

import jinja2
from markupsafe import Markup, escape

from deep_em_bench.reports.render.escaping import PIECES
from deep_em_bench.reports.tables.model import Cell, Column, written

__all__ = ["printable", "rendered_page"]

UNPRINTABLE = re.compile(r"\\[bfru]")
"""How JSON writes characters that :func:`printable` replaces, and some that it leaves."""

NAME, WORDS, LONG = 20, 24, 200
"""Characters from which a name breaks, a cell is set in lines, and in small type."""


def rendered_page(template: str, data: Mapping[str, Any] | None = None, **words: Any) -> str:
    """The page that ``template`` makes of ``words``; its script finds ``data`` as JSON."""
    environment = _environment()
    style, script = (Markup(_source(name)) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(template).render(
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
    plain, small = written(cell, column)
    tag = "th" if first else "td"
    text, parts = _named(plain) if first else _escaped(plain), [f"<{tag}"]
    if first:
        parts.append(' scope="row"')
    if column.numeric:
        parts.append(' class="n"')
    value = cell.interval[0] if cell.interval else cell.value
    if value is None:
        parts.append(" data-none")
    elif column.numeric:
        parts.append(f' data-v="{_escaped(str(value))}"')
    parts.append(">")
    named = ' class="label"' if first else ""
    body = f"<b>{text}</b>" if cell.best else text
    if cell.rows:
        places = " ".join(map(str, cell.rows))
        parts.append(f'<a{named} href="#runs" data-row="{places}">{body}</a>')
    elif cell.href:
        parts.append(f'<a{named} href="{_escaped(cell.href)}">{body}</a>')
    elif first:
        parts.append(f'<span class="label">{body}</span>')
    elif len(plain) > WORDS:
        parts.append(f'<span class="{"long" if len(plain) > LONG else "words"}">{body}</span>')
    else:
        parts.append(body)
    if cell.best:
        parts.append('<span class="aside"> (best)</span>')
    if small or (column.numeric and cell.spread is not None):
        parts.append(f'<span class="pm">{_escaped(small)}</span>')
    if cell.details:
        parts.append('<details class="trace"><summary>Traceback</summary>')
        parts.append(f"<pre>{_escaped(cell.details)}</pre></details>")
    if cell.items:
        listed = "".join(f"<li>{_escaped(item)}</li>" for item in cell.items)
        parts.append(f"<ul>{listed}</ul>")
    parts.append(f"</{tag}>")
    return Markup("".join(parts))


def head_markup(column: Column) -> Markup:
    """The head of a column; a long one breaks after its signs."""
    unit = f" ({column.unit})" if column.unit else ""
    title = f"{column.title}{unit}"
    text = _named(title)
    return Markup(text if len(title) <= NAME else f'<span class="head">{text}</span>')


def _named(name: str) -> str:
    """A name, which may break after its signs where it is long."""
    if len(name) <= NAME:
        return _escaped(name)
    return "<wbr>".join(_escaped(piece) for piece in PIECES.findall(name))


def _escaped(text: str) -> str:
    return str(escape(printable(text)))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("deep_em_bench.reports.render"),
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
