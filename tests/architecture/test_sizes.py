"""Everything stays small enough to be read in one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("alerts", "adapters", "gateway", "simulators")
FILE_LINES = 400
CLASS_LINES = 200
FUNCTION_LINES = 50
PARAMETERS = 6

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def files() -> Iterator[Path]:
    for package in PRODUCT:
        yield from sorted((ROOT / package).rglob("*.py"))


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def lines(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in named)


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): size for path in files() if (size := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES}
    assert long == {}


def test_no_class_is_longer_than_200_lines() -> None:
    long = {where: lines(node) for where, node in nodes() if isinstance(node, ast.ClassDef) and lines(node) > CLASS_LINES}
    assert long == {}


def test_no_function_is_longer_than_50_lines() -> None:
    long = {where: lines(node) for where, node in nodes() if isinstance(node, FUNCTIONS) and lines(node) > FUNCTION_LINES}
    assert long == {}


def test_no_function_takes_more_than_6_parameters() -> None:
    wide = {where: parameters(node) for where, node in nodes() if isinstance(node, FUNCTIONS) and parameters(node) > PARAMETERS}
    assert wide == {}
