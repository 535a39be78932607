"""A page as a tree of elements, for tests."""

import base64
import json
from html.parser import HTMLParser

VOID = {"meta", "img", "wbr", "input", "br", "link", "hr"}

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""One pixel."""


class Element:
    """An element of a parsed page."""

    def __init__(self, name, attributes):
        self.name, self.attributes, self.children = name, dict(attributes), []

    def all(self, name):
        """Every element of that name in it, itself included, in order."""
        elements = [self] if self.name == name else []
        for child in self.children:
            if isinstance(child, Element):
                elements += child.all(name)
        return elements

    @property
    def text(self):
        return "".join(c if isinstance(c, str) else c.text for c in self.children)


class Tree(HTMLParser):
    """Builds elements; a tag that closes another one than it should fails."""

    def __init__(self, text):
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert self.open == [self.root], f"never closed: {self.open[-1].name}"

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs)
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().name == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parsed(text):
    return Tree(text).root


def one(root, name, **attributes):
    (match,) = [
        e for e in root.all(name) if all(e.attributes.get(k) == v for k, v in attributes.items())
    ]
    return match


def section(root, name):
    return one(root, "section", id=name)


def lines(table):
    """The texts of a table's cells, by line, without the text for screen readers alone."""

    def shown(element):
        if isinstance(element, str):
            return element
        aside = element.attributes.get("class") == "aside"
        return "" if aside else "".join(map(shown, element.children))

    rows = [[c for c in row.children if isinstance(c, Element)] for row in table.all("tr")]
    return [[" ".join(shown(cell).split()) for cell in row] for row in rows]


def data(root):
    return json.loads(one(root, "script", id="data").text)
