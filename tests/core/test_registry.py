"""The registry: listing without imports, importing on demand, plugins and entry points."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from deep_em_bench import core
from deep_em_bench.core import ConfigError, Declaration, Registry, UserError

ROOT = Path(core.__file__).parents[1]

PACKAGE = {
    "__init__.py": "",
    "base.py": """
from deep_em_bench.core import Registry

registry = Registry("shape", "{package}", "{package}.shapes")
register = registry.register
""",
    "round.py": '''
import {package}.base as base
from {package}.base import register

base.imported = True
SIZES = {{"small": dict(title="Small", made=len("x")), "large": 2, **{{}}}}
ANNOTATED: dict[str, int] = {{"one": 1}}


@register("circle", sizes=SIZES, notes=ANNOTATED, corners=0, bounds=(0.0, 1.0), made=len("four"))
class Circle:
    """Round all over.

    A second paragraph.
    """


@register("ball", "sphere")
def ball() -> None:
    pass
''',
    "broken.py": """
from {package}.base import register

raise RuntimeError("only ever imported on demand")


@register("wreck")
class Wreck:
    pass
""",
    "other.py": "def register(name: str) -> None: ...\n",
}


@pytest.fixture
def shapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Registry[Any]:
    """The registry of a package on disk, imported under a name of its own."""
    package = "shapes_" + re.sub(r"\W", "_", request.node.name)
    (tmp_path / package).mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / package / name).write_text(text.format(package=package), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(f"{package}.base", fromlist=["registry"]).registry


@pytest.fixture
def plugin(tmp_path: Path, shapes: Registry[Any]) -> Callable[..., Path]:
    """Call with the body of a plugin file; ``register`` is at hand in it."""

    def write(body: str, name: str = "plugin.py") -> Path:
        path = tmp_path / name
        head = f"from {shapes.package}.base import register\n"
        path.write_text(head + body, encoding="utf-8")
        return path

    return write


def test_listing_reads_the_source_and_imports_nothing(shapes: Registry[Any]) -> None:
    found = shapes.declarations()
    assert shapes.names() == sorted(found) == ["ball", "circle", "sphere", "wreck"]
    assert found["circle"] == Declaration(
        name="circle",
        module=f"{shapes.package}.round",
        summary="Round all over.",
        attributes={
            "sizes": {"small": {"title": "Small"}, "large": {}},
            "notes": {"one": {}},
            "corners": 0,
            "bounds": (0.0, 1.0),
            "made": None,
        },
    )
    assert found["ball"].summary == ""
    assert f"{shapes.package}.round" not in sys.modules


def test_methods_are_listed_without_torch_and_scikit_learn() -> None:
    listing = """
import sys
from deep_em_bench.core import Registry

found = Registry("method", "deep_em_bench.methods").declarations()
assert {"kmeans", "gmm", "gan_em"} <= found.keys(), found
assert {"paper", "official", "stable"} <= set(found["gan_em"].attributes["presets"])
assert not {"torch", "sklearn", "deep_em_bench.methods"} & sys.modules.keys()

from deep_em_bench import methods

assert methods.registry.declarations() == found
assert "torch" not in sys.modules
"""
    command = [sys.executable, "-c", listing]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_thing_is_imported_when_it_is_asked_for(shapes: Registry[Any]) -> None:
    circle = shapes.get("circle")
    assert circle.name == "circle"
    assert circle.value.__name__ == "Circle"
    assert circle.attributes["sizes"] == {"small": {"title": "Small", "made": 1}, "large": 2}
    assert circle.attributes["made"] == 4
    assert shapes.get("circle") is circle
    assert shapes.name_of(circle.value) == "circle"
    with pytest.raises(RuntimeError, match="on demand"):
        shapes.get("wreck")


def test_one_thing_may_have_several_names(shapes: Registry[Any]) -> None:
    assert shapes.get("sphere").value is shapes.get("ball").value


def test_an_unknown_name_suggests_the_nearest(shapes: Registry[Any]) -> None:
    with pytest.raises(ConfigError, match=r"unknown shape 'circel'; did you mean 'circle'\?"):
        shapes.get("circel")


def test_a_second_registration_of_a_name_raises(shapes: Registry[Any]) -> None:
    @shapes.register("cone", height=3)
    def cone() -> None:
        """Pointed."""

    with pytest.raises(ConfigError, match=r"shape 'cone' is registered twice: .*cone.*Second"):

        @shapes.register("cone")
        class Second:
            pass

    assert shapes.get("cone").value is cone
    assert shapes.get("cone").attributes == {"height": 3}
    assert shapes.declarations()["cone"].summary == "Pointed."
    with pytest.raises(ConfigError, match=r"registered twice"):
        shapes.register("circle")(shapes.get("circle").value)


def test_a_name_of_the_package_is_taken_before_its_import(
    shapes: Registry[Any], plugin: Callable[..., Path]
) -> None:
    with pytest.raises(ConfigError, match=rf"'circle' is registered twice: by {shapes.package}.r"):
        shapes.load_plugin(plugin("@register('circle')\nclass Mine:\n    pass\n"))
    assert shapes.get("circle").value.__name__ == "Circle"


def test_a_stranger_has_no_name(shapes: Registry[Any]) -> None:
    with pytest.raises(ConfigError, match=r"dict is not registered as a shape"):
        shapes.name_of(dict)


def test_a_plugin_registers_once(shapes: Registry[Any], plugin: Callable[..., Path]) -> None:
    path = plugin("@register('cube', corners=8)\nclass Cube:\n    'Cornered.'\n")
    shapes.load_plugin(path)
    shapes.load_plugin(str(path))
    shapes.load_plugin(path.parent / "." / path.name)
    assert shapes.get("cube").attributes == {"corners": 8}
    assert shapes.declarations()["cube"].summary == "Cornered."
    assert "cube" in shapes.names()


def test_two_plugins_of_one_file_name_are_two(
    shapes: Registry[Any], plugin: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    shapes.load_plugin(plugin("register('first')(int)"))
    shapes.load_plugin(plugin("register('second')(str)", "a/plugin.py"))
    assert shapes.get("first").value is int
    assert shapes.get("second").value is str


def test_a_plugin_imports_modules_beside_it(
    shapes: Registry[Any], plugin: Callable[..., Path], tmp_path: Path
) -> None:
    name = f"{shapes.package}_helper"
    body = f"import {name}\nregister({name}.NAME)(int)"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(f"NAME = {folder!r}", encoding="utf-8")
    shapes.load_plugin(plugin(body, "a/plugin.py"))
    assert shapes.get("a").value is int
    with pytest.raises(UserError, match=rf"{name} is already imported from .*/a/{name}.py"):
        shapes.load_plugin(plugin(body, "b/plugin.py"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named"),
        ("def broken(:", "SyntaxError: "),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "plugin.py failed on import: SystemExit: 0"),
        ("register('circle')(int); register('circle')(str)", "is registered twice"),
    ],
)
def test_a_bad_plugin_is_the_users_to_mend(
    shapes: Registry[Any], plugin: Callable[..., Path], body: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        shapes.load_plugin(plugin(body))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_plugin_is_told_in_one_line(
    shapes: Registry[Any], plugin: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match=r"\A[^\n]*one[^\n]*two[^\n]*\Z"):
        shapes.load_plugin(plugin("raise ValueError('one\\ntwo')"))


def test_a_mended_plugin_loads(shapes: Registry[Any], plugin: Callable[..., Path]) -> None:
    with pytest.raises(UserError):
        shapes.load_plugin(plugin("register('cube')(int)\n1 / 0"))
    shapes.load_plugin(plugin("register('cube')(float)  # mended"))
    assert shapes.get("cube").value is float


def test_a_path_that_is_no_plugin_is_refused(shapes: Registry[Any], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("register me", encoding="utf-8")
    for path in (tmp_path / "missing.py", tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UserError, match=r"plugin .* is not .*; give the path of a \.py file"):
            shapes.load_plugin(path)


@pytest.fixture
def publish(
    shapes: Registry[Any], plugin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Call with a name and code: an installed package that offers it as an entry point."""

    def add(name: str, body: str) -> None:
        module = f"{shapes.package}_offer_{name}"
        plugin(body, f"{module}.py")
        point = EntryPoint(name=name, value=f"{module}:Offer", group=shapes.entry_point_group)

        def entry_points(*, group: str) -> list[EntryPoint]:
            return [point] if group == shapes.entry_point_group else []

        monkeypatch.setattr("deep_em_bench.core.registry.entry_points", entry_points)

    return add


def test_an_entry_point_is_listed_and_loaded_on_demand(
    shapes: Registry[Any], publish: Callable[..., None]
) -> None:
    publish("torus", "@register('torus', holes=1)\nclass Offer:\n    pass\n")
    assert "torus" in shapes.names()
    declared = shapes.declarations()["torus"]
    assert declared.module.endswith("_offer_torus:Offer")
    assert declared.module.split(":")[0] not in sys.modules
    assert shapes.get("torus").attributes == {"holes": 1}


def test_an_entry_point_must_register_its_own_name(
    shapes: Registry[Any], publish: Callable[..., None]
) -> None:
    publish("torus", "@register('donut')\nclass Offer:\n    pass\n")
    with pytest.raises(ConfigError, match=r"was to register shape 'torus' and did not"):
        shapes.get("torus")


def test_an_entry_point_does_not_shadow_the_package(
    shapes: Registry[Any], publish: Callable[..., None]
) -> None:
    publish("circle", "class Offer:\n    pass\n")
    assert shapes.declarations()["circle"].summary == "Round all over."
    assert shapes.get("circle").value.__name__ == "Circle"
