"""What a module may know: imports point one way, and the core stays free of frames, files and clocks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "fairsweep"
# Each layer may import itself and those before it.
LAYERS = (
    ("core",),
    (
        "errors",
        "files",
        "groups",
        "expressions",
        "intake",
        "specs",
        "schema",
        "checks",
        "evidence_tables",
        "tables",
        "views",
        "checksums",
        "distributed",
        "stopping",
        "integrity",
    ),
    ("engines", "inputs", "stores", "synthetic"),
    ("verbs",),
    ("surfaces", "api"),
    ("__init__", "__main__"),
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(SOURCE.rglob("*.py"))


def place_of(module: Path) -> str:
    """The package below fairsweep, or the module, that a file belongs to."""
    return module.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[str]:
    """Everything that a module imports when it runs, by full name; imports for type checkers are left out."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_has_a_layer() -> None:
    assert {place_of(module) for module in MODULES} == set(LEVEL)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_to_lower_layers_only(module: Path) -> None:
    mine = place_of(module)
    others = {name.split(".")[1] for name in imported(module) if name.startswith("fairsweep.")} & set(LEVEL)
    assert not {other for other in others if LEVEL[other] > LEVEL[mine]}
    siblings = {"engines", "stores"} - {mine} if mine in {"engines", "stores"} else set()
    assert not others & siblings


@pytest.mark.parametrize("module", sorted((SOURCE / "core").glob("*.py")), ids=lambda path: path.stem)
def test_core_imports_only_numpy_scipy_and_the_standard_library(module: Path) -> None:
    roots = {name.split(".")[0] for name in imported(module)} - set(sys.stdlib_module_names)
    assert roots <= {"numpy", "scipy", "fairsweep"}
    assert not {"datetime", "time", "logging", "pathlib", "os"} & {name.split(".")[0] for name in imported(module)}


@pytest.mark.parametrize(
    "name", ["counts", "cutoffs", "histogram", "metrics", "intervals", "clusters", "weights", "precision"]
)
def test_modules_for_executors_load_only_numpy_and_the_standard_library(name: str) -> None:
    program = f"import sys, fairsweep.core.{name}; print(sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {"scipy", "pandas", "pyarrow", "pydantic", "yaml", "rich", "pyspark"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_needs_what_spark_connect_and_serverless_lack(module: Path) -> None:
    forbidden = re.compile(r"\bsparkContext\b|\._jvm\b|\.rdd\b|\.persist\(|\.cache\(\)")
    assert not forbidden.findall(module.read_text(encoding="utf-8"))
