"""The registry of methods, data sets and metrics: listed without imports, imported on demand.

A decorator with literal names, mostly one, registers a class or function::

    @register("gan_em", presets=PRESETS)
    class GanEm(Method): ...

Names and first docstring lines are read from the source (``ast``), so a listing costs no import of
torch or scikit-learn. A third-party package joins through an entry point group whose entries name
modules or objects in them; a single file joins through :meth:`Registry.load_plugin`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from deep_em_bench.core.errors import ConfigError, UserError, unknown_name
from deep_em_bench.core.plugins import load_plugin

__all__ = ["Declaration", "Registered", "Registry"]

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the source says of a registered thing before anything is imported."""

    name: str
    module: str
    summary: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """The decorator's keywords where literal; of a dict, or a constant naming one, the keys, each
    with the literal keywords of its value where that is a call, as of ``Preset(...)``."""


@dataclass(frozen=True, kw_only=True)
class Registered(Generic[T]):
    """A registered object with the keywords of its decorator."""

    name: str
    value: T
    attributes: Mapping[str, Any]


class Registry(Generic[T]):
    """Named things of one kind, declared in the modules of one package or joined by plugins."""

    def __init__(self, kind: str, package: str, entry_point_group: str | None = None) -> None:
        self.kind = kind
        self.package = package
        self.entry_point_group = entry_point_group or package
        self._registered: dict[str, Registered[T]] = {}
        self._declared: dict[str, Declaration] | None = None
        self._points: tuple[EntryPoint, ...] | None = None

    def register(self, name: str, *others: str, **attributes: Any) -> Callable[[U], U]:
        """Decorator that registers a class or function; a second one of the same name raises.

        With several names it is known by each of them. The package's own names are taken before
        what they stand for is imported.
        """

        def decorate(value: U) -> U:
            for each in (name, *others):
                holder = self._holder(each, value)
                if holder is not None:
                    raise ConfigError(
                        f"{self.kind} {each!r} is registered twice: by {holder} and by "
                        f"{_where(value)}; rename one of them"
                    )
                self._registered[each] = Registered(name=each, value=value, attributes=attributes)  # type: ignore[arg-type]
            return value

        return decorate

    def names(self) -> list[str]:
        """Every known name, sorted, without importing what it stands for."""
        return sorted(self.declarations())

    def declarations(self) -> dict[str, Declaration]:
        """Every known name with what its source says of it, without importing it."""
        declarations = dict(self._own())
        for point in self._entry_points():
            origin = f"from package {point.dist.name}" if point.dist else "from an entry point"
            declarations.setdefault(
                point.name, Declaration(name=point.name, module=point.value, summary=origin)
            )
        for name, registered in self._registered.items():
            if name not in declarations:
                module = getattr(registered.value, "__module__", "")
                declarations[name] = Declaration(
                    name=name, module=module, summary=_first_line(registered.value.__doc__)
                )
        return declarations

    def get(self, name: str) -> Registered[T]:
        """The thing registered as ``name``, its module imported now if need be."""
        if name not in self._registered:
            self._import(name)
        return self._registered[name]

    def load_plugin(self, path: str | Path) -> None:
        """Import one Python file that registers something; loading it again does nothing."""
        before = dict(self._registered)
        try:
            load_plugin(Path(path))
        except UserError:
            self._registered = before
            raise

    def name_of(self, value: object) -> str:
        """The name under which ``value`` was registered."""
        for name, registered in self._registered.items():
            if registered.value is value:
                return name
        raise ConfigError(f"{_where(value)} is not registered as a {self.kind}; add @register")

    def _holder(self, name: str, value: object) -> str | None:
        """Who has the name that ``value`` is to get; None where it is free."""
        if name in self._registered:
            return _where(self._registered[name].value)
        if (getattr(value, "__module__", None) or "").startswith(f"{self.package}."):
            return None  # no need to read the sources: it is what they declare
        declared = self._own().get(name)
        return declared and declared.module

    def _own(self) -> dict[str, Declaration]:
        """What the package itself declares."""
        if self._declared is None:
            self._declared = {d.name: d for d in _scan_package(self.package)}
        return self._declared

    def _import(self, name: str) -> None:
        declaration = self.declarations().get(name)
        if declaration is None:
            raise ConfigError(unknown_name(self.kind, name, self.names()))
        point = next((p for p in self._entry_points() if p.name == name), None)
        if point is not None and declaration.module == point.value:
            point.load()
        else:
            importlib.import_module(declaration.module)
        if name not in self._registered:
            raise ConfigError(
                f"{declaration.module} was to register {self.kind} {name!r} and did not; "
                f"give the entry point the name that its @register uses"
            )

    def _entry_points(self) -> tuple[EntryPoint, ...]:
        if self._points is None:  # reads the metadata of every installed package
            self._points = tuple(entry_points(group=self.entry_point_group))
        return self._points


def _where(value: object) -> str:
    return f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', value)}"


def _first_line(docstring: str | None) -> str:
    lines = (docstring or "").strip().splitlines()
    return lines[0] if lines else ""


def _scan_package(package: str) -> Iterator[Declaration]:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"package {package} is not importable"
    for folder in spec.submodule_search_locations or []:
        for path in sorted(Path(folder).rglob("*.py")):
            if "@register(" in (source := path.read_text(encoding="utf-8")):
                parts = path.relative_to(folder).with_suffix("").parts
                module = ".".join([package, *parts])
                yield from _scan_module(ast.parse(source), module, package, Path(folder))


def _scan_module(
    tree: ast.Module, module: str, package: str, folder: Path
) -> Iterator[Declaration]:
    constants = _imported(tree, package, folder) | _assigned(tree)
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == "register"
            ):
                attributes = {k.arg: _literal(k.value, constants) for k in call.keywords if k.arg}
                for named in call.args:
                    if isinstance(named, ast.Constant):
                        yield Declaration(
                            name=str(named.value),
                            module=module,
                            summary=_first_line(ast.get_docstring(node)),
                            attributes=attributes,
                        )


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """The module's constants by name."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def _imported(tree: ast.Module, package: str, folder: Path) -> dict[str, ast.expr]:
    """The constants, in capitals, that the module imports from its own package."""
    constants: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            wanted = {alias.name for alias in node.names if alias.name.isupper()}
            parts = (node.module or "").removeprefix(f"{package}.").split(".")
            path = folder.joinpath(*parts).with_suffix(".py")
            if wanted and path.is_file():
                assigned = _assigned(ast.parse(path.read_text(encoding="utf-8")))
                constants |= {name: assigned[name] for name in wanted & assigned.keys()}
    return constants


def _literal(node: ast.expr, constants: Mapping[str, ast.expr]) -> Any:
    """A literal's value; of a dict display (or a constant that names one) its literal keys, each
    with the literal keywords of the call that is its value.

    No code runs: ``ast.literal_eval`` knows constants and displays of them alone.
    """
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    if isinstance(node, ast.Dict):
        return {
            key.value: _keywords(value, constants)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        }
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _keywords(node: ast.expr, constants: Mapping[str, ast.expr]) -> dict[str, Any]:
    """The literal keywords of a call; none of anything else."""
    if not isinstance(node, ast.Call):
        return {}
    keywords = {k.arg: _literal(k.value, constants) for k in node.keywords if k.arg}
    return {name: value for name, value in keywords.items() if value is not None}
