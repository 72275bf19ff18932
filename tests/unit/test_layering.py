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
# Each layer may import itself and those before it; packages of a layer may import each other where this is said.
LAYERS = (
    {"cores", "delta_folders", "errors", "file_kinds", "stopping"},
    {"core"},
    {"config", "input", "tables", "output"},
    {"engines", "stores"},
    {"runs", "synthetic"},
    {"auditing", "cohort", "demo", "init", "sql"},
    {"api", "cli"},
    {"__init__", "__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
CAPABILITIES = LAYERS[5]
TOGETHER = LAYERS[2]
PROGRAM = "fairsweep"


def name_of(module: Path) -> str:
    parts = (PROGRAM, *module.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def package_of(name: str) -> str:
    """The package below fairsweep, or the module, that a module belongs to."""
    if name == PROGRAM:
        return "__init__"
    return name.split(".")[1]


def every_import(module: Path) -> Iterator[str]:
    """Everything that a module imports, by full name: when it runs, inside functions, and for type checkers."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(name: str) -> set[str]:
    """The modules of fairsweep that a module imports; a package that it only goes through is none of them."""
    found = {one for one in every_import(MODULES[name]) if one in MODULES and one not in {name, PROGRAM}}
    return {one for one in found if not (is_package(one) and any(other.startswith(f"{one}.") for other in found))}


def is_package(name: str) -> bool:
    return MODULES[name].name == "__init__.py"


def test_every_module_has_a_layer() -> None:
    assert {package_of(name) for name in MODULES} == set(LEVEL)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_to_lower_layers_only(name: str) -> None:
    mine = package_of(name)
    others = {package_of(one) for one in imported_modules(name)} - {mine}
    assert not {other for other in others if LEVEL[other] > LEVEL[mine]}
    beside = {other for other in others if LEVEL[other] == LEVEL[mine]}
    assert not beside or mine in TOGETHER | CAPABILITIES


@pytest.mark.parametrize("name", [name for name in MODULES if package_of(name) in CAPABILITIES])
def test_a_capability_uses_another_only_through_what_it_exports(name: str) -> None:
    others = {one for one in imported_modules(name) if package_of(one) in CAPABILITIES - {package_of(name)}}
    assert {one for one in others if not is_package(one)} == set()


def test_no_module_imports_itself_through_others() -> None:
    edges = {name: imported_modules(name) for name in MODULES}
    # What a package exports lazily stands in its modules, which may import one another but not the package.
    circles = []
    for start in MODULES:
        seen: set[str] = set()
        waiting = set(edges[start])
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting |= edges[one]
        if start in seen:
            circles.append(start)
    assert circles == []


def reached(start: str) -> set[str]:
    """The modules of fairsweep that a module needs, itself or through others."""
    seen: set[str] = set()
    waiting = imported_modules(start)
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting |= imported_modules(one)
    return seen


AUDITING = "fairsweep.auditing"
BUILDERS = [name for name in MODULES if name.startswith(f"{AUDITING}.") and name.endswith("_rows")]


@pytest.mark.parametrize("name", [f"{AUDITING}.assessment", f"{AUDITING}.reported", *BUILDERS])
def test_assessment_and_builders_of_rows_know_nothing_of_disclosure(name: str) -> None:
    assert len(BUILDERS) > 5
    gate = {f"{AUDITING}.{module}" for module in ("disclosing", "publishable", "suppressing", "suppression")}
    assert not {one for one in reached(name) if one in gate or one.startswith("fairsweep.core.disclosure")}


def test_a_name_of_a_module_means_one_thing() -> None:
    """The files that every capability, engine or store has are called alike; all other names are taken once."""
    roles = {
        "__init__",
        "__main__",
        "spec",
        "verb",
        "text",
        "command",
        "protocol",
        "sources",
        "delta",
        "buckets",
        "cutoffs",
    }
    names = [name.rpartition(".")[2] for name in MODULES if not is_package(name)]
    assert {name for name in names if names.count(name) > 1} <= roles


@pytest.mark.parametrize("name", [name for name in MODULES if package_of(name) == "core"])
def test_core_imports_only_numpy_scipy_and_the_standard_library(name: str) -> None:
    roots = {one.split(".")[0] for one in every_import(MODULES[name])}
    assert roots - set(sys.stdlib_module_names) <= {"numpy", "scipy", "fairsweep"}
    assert not {"datetime", "time", "logging", "pathlib", "os"} & roots


@pytest.mark.parametrize(
    "name",
    [
        "counts",
        "cutoffs",
        "histogram",
        "metrics",
        "inference.intervals",
        "inference.clusters",
        "inference.weights",
        "inference.precision",
    ],
)
def test_modules_for_executors_load_only_numpy_and_the_standard_library(name: str) -> None:
    program = f"import sys, fairsweep.core.{name}; print(sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {"scipy", "pandas", "pyarrow", "pydantic", "yaml", "rich", "pyspark"}


@pytest.mark.parametrize("module", MODULES.values(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_needs_what_spark_connect_and_serverless_lack(module: Path) -> None:
    forbidden = re.compile(r"\bsparkContext\b|\._jvm\b|\.rdd\b|\.persist\(|\.cache\(\)")
    assert not forbidden.findall(module.read_text(encoding="utf-8"))
