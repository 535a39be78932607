"""A plugin's files are known: its own, and the modules of its folder that it imports."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deep_em_bench.core import UserError
from deep_em_bench.core.plugins import files_of, load_plugin


@pytest.fixture(autouse=True)
def _same_modules() -> Iterator[None]:
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in sys.modules.keys() - modules:
        del sys.modules[name]
    sys.path[:] = path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/", 1) + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_files_are_those_that_it_imports_in_turn_wherever(tmp_path: Path) -> None:
    write(
        tmp_path,
        plug_in="import numpy\nimport one\n\ndef later():\n    import two\n    return two.X\n",
        one="from inner import part",
        two="X = 2",
        inner____init__="",
        inner__part="",
        stranger="1 / 0",
    )
    load_plugin(tmp_path / "plug_in.py")
    (name,) = [name for name in sys.modules if name.startswith("_plugin_plug_in_")]
    files = files_of(name)
    assert files.keys() == {"plug_in.py", "one.py", "two.py", "inner/__init__.py", "inner/part.py"}
    assert files["two.py"] == hashlib.sha256(b"X = 2").hexdigest()
    assert files_of("one") == files
    assert files_of("numpy") == {}
    assert sys.modules[name].later() == 2


def test_a_module_of_that_name_from_elsewhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", plug_a="import same_name", same_name="")
    write(tmp_path / "b", plug_b="import same_name", same_name="")
    load_plugin(tmp_path / "a" / "plug_a.py")
    with pytest.raises(UserError, match=r"same_name is already imported from .*/a/same_name"):
        load_plugin(tmp_path / "b" / "plug_b.py")
