"""What import-linter's contracts in pyproject.toml cannot say: allow-lists, empty packages, small ports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("alerts", "adapters", "gateway", "simulators")
DOMAIN_LIBRARIES = {"numpy", "pydantic"}
SIMULATOR_LIBRARIES = {"aiomqtt", "numpy", "pydantic", "yaml"}
SIMULATOR_MODULES = ("simulators", "alerts.reading", "alerts.site", "alerts.alarm", "adapters.codecs", "adapters.clock")
PORT_METHODS = 4


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The dotted names a file imports; for `from a import b` that is `a.b`, which may name an attribute of `a`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def library(name: str) -> str | None:
    """The third-party package a name belongs to, or None for this project's and the standard library's."""
    top = name.split(".", maxsplit=1)[0]
    return None if top in sys.stdlib_module_names or top in PRODUCT else top


def within(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def strangers(package: str, libraries: set[str]) -> dict[str, set[str]]:
    found = {str(path.relative_to(ROOT)): {lib for name in imported(path) if (lib := library(name))} - libraries for path in sources(package)}
    return {path: names for path, names in found.items() if names}


def protocols(package: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for path in sources(package):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base).split("[")[0].endswith("Protocol") for base in node.bases):
                yield f"{path.relative_to(ROOT)}: {node.name}", node


def test_every_package_file_imports_nothing() -> None:
    """import-linter does not see what a parent's __init__.py runs."""
    busy = [str(path) for package in PRODUCT for path in sources(package) if path.name == "__init__.py" and list(imported(path))]
    assert busy == []


def test_every_folder_of_modules_is_a_package() -> None:
    """Without an __init__.py a folder escapes both the layers and the wheel."""
    bare = {str(path.parent) for package in PRODUCT for path in sources(package) if not (path.parent / "__init__.py").exists()}
    assert bare == set()


def test_the_domain_uses_no_library_but_numpy_and_pydantic() -> None:
    assert strangers("alerts", DOMAIN_LIBRARIES) == {}


def test_simulators_use_no_library_but_theirs() -> None:
    assert strangers("simulators", SIMULATOR_LIBRARIES) == {}


def test_simulators_know_of_hazgate_only_names_models_codecs_and_the_clock() -> None:
    """A simulator that knew more would test the gateway with its own opinions."""
    known = {f"{path.relative_to(ROOT)}: {name}" for path in sources("simulators") for name in imported(path) if name.split(".")[0] in PRODUCT}
    assert {entry for entry in known if not within(entry.split(": ")[1], SIMULATOR_MODULES)} == set()


def test_every_port_has_at_most_four_methods() -> None:
    ports = {where: sum(isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) for item in node.body) for p in PRODUCT for where, node in protocols(p)}
    assert ports
    assert {where: count for where, count in ports.items() if count > PORT_METHODS} == {}


def test_every_port_says_what_may_be_called_when() -> None:
    silent = [where for package in PRODUCT for where, node in protocols(package) if not ast.get_docstring(node)]
    assert silent == []


def test_only_the_clock_adapter_reads_the_system_clock() -> None:
    """Ruff bans the calls; this bans a waiver of that ban anywhere else."""
    waived = [str(p.relative_to(ROOT)) for package in PRODUCT for p in sources(package) if "TID251" in p.read_text(encoding="utf-8")]
    assert set(waived) <= {"adapters/clock.py"}
