"""Plugins: single files, imported from a path, and the modules in their folders."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from modulefinder import ModuleFinder
from pathlib import Path

from deep_em_bench.core.errors import UserError

__all__ = ["files_of", "load_plugin"]


@dataclass(frozen=True, kw_only=True)
class _Plugin:
    modules: Mapping[str, Path]
    """The plugin's own module, and those of its folder that it imports, in turn."""
    files: Mapping[str, str]
    """sha256 of each of their files when they were loaded, by path below the folder."""


_loaded: dict[Path, _Plugin] = {}
"""Like ``sys.modules``: what this process has imported."""


def load_plugin(path: Path) -> None:
    """Import the file; a second time does nothing.

    The plugin may import modules that lie in its folder. Raises :class:`UserError` for a file
    that cannot be imported, and for such a module whose name another module has already.
    """
    path = path.resolve()
    if path in _loaded:
        return
    if not path.is_file():
        raise UserError(f"plugin {path} is not a file; give the path of a .py file")
    name = f"_plugin_{path.stem}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plugin {path} is not Python source; give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        plugin = _inspected(path, name)
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if isinstance(error, UserError):
            raise
        text = " ".join(str(error).split())
        raise UserError(
            f"plugin {path} failed on import: {type(error).__name__}: {text}"
        ) from error
    finally:
        sys.path.remove(folder)
    sys.path.append(folder)  # for what its functions import
    _loaded[path] = plugin


def files_of(module: str) -> Mapping[str, str]:
    """The files of the plugin that a module belongs to, with their sha256; none for others."""
    return next((plugin.files for plugin in _loaded.values() if module in plugin.modules), {})


def _inspected(path: Path, name: str) -> _Plugin:
    """The plugin's modules, without running them."""
    finder = ModuleFinder(path=[str(path.parent)])
    finder.run_script(str(path))
    modules = {name: path}
    for module, inspected in finder.modules.items():
        file = getattr(inspected, "__file__", None)
        if file and module != "__main__":
            modules[module] = Path(file)
    for module, file in modules.items():
        other = getattr(sys.modules.get(module), "__file__", None)
        if other and Path(other).resolve() != file.resolve():
            raise UserError(
                f"plugin {path} imports {file}, but {module} is already imported from {other}; "
                f"rename the file"
            )
    digests = {
        file.relative_to(path.parent).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in modules.values()
    }
    return _Plugin(modules=modules, files=digests)
