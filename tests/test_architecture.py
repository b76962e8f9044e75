"""The house: no circle among imports, and rooms that know only those below them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import vostool

PACKAGE = Path(vostool.__file__).parent

ROOMS = (
    {"cli", "__main__"},
    {"batch", "training", "davis", "doctor", "page"},
    {"__init__", "opening", "over_clips", "session"},
    {"pipeline"},
    {"mask_propagation"},
    {"decoder", "strnn"},
    {"adapter", "backbones", "label_propagation", "weights", "writers"},
    {"cleaning", "coco", "known_masks"},
    {"store", "scribbles", "masks", "clips"},
    {"microscopy", "sequences", "video"},
    {"checkpoints", "exr", "images", "presets", "reading"},
    {
        "files",
        "layers",
        "mounts",
        "onnx_graph",
        "onnx_weights",
        "outputs",
        "precision",
        "pyramid",
        "tf_checkpoint",
        "torch_first_format",
    },
    {"errors", "stops", "version"},
)
"""From the top floor down; docs/architecture.md tells what each is for."""


@cache
def imports() -> dict[str, set[str]]:
    """Each module's imports of the package, wherever in it they stand, those for types too."""
    names = {_name(file): file for file in PACKAGE.rglob("*.py")}
    return {
        name: {
            found for node in ast.walk(ast.parse(file.read_text())) for found in _of(node, names)
        }
        for name, file in names.items()
    }


def _name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _of(node: ast.AST, names: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in names)
    elif isinstance(node, ast.ImportFrom) and node.module in names:
        submodules = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (found for found in submodules if found in names)
        if not all(found in names for found in submodules):
            yield node.module


def room(module: str) -> str:
    """The room that a module lies in."""
    return module.split(".")[1] if "." in module else "__init__"


def test_every_module_lies_in_a_room_of_the_plan() -> None:
    planned = set().union(*ROOMS)
    assert {room(module) for module in imports()} == planned


def test_imports_make_no_circle() -> None:
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for found in sorted(imports()[module]):
                walk(found, (*path, module))
            done.add(module)

    for module in imports():
        walk(module, ())


def test_a_room_knows_its_own_floor_and_those_below() -> None:
    floor = {name: number for number, rooms in enumerate(ROOMS) for name in rooms}
    above = [
        f"{module} -> {found}"
        for module, every in imports().items()
        for found in every
        if floor[room(found)] < floor[room(module)]
    ]
    assert above == []


def test_the_store_knows_no_network_and_no_command() -> None:
    for file in (PACKAGE / "store").rglob("*.py"):
        text = file.read_text()
        assert "import torch" not in text and "backbones" not in text, file
        assert "vostool extract" not in text and "vostool propagate" not in text, file
        assert "--" not in text.replace("-->", ""), f"{file}: an option of the command line?"


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import vostool", ["torch", "zarr", "h5py", "cv2", "numpy"]),
        (
            "import vostool; vostool.FeatureStore('s'); vostool.Session; vostool.open",
            ["torch", "obstore"],
        ),
        ("import vostool.adapter", ["torch", "zarr"]),
        ("import vostool.decoder.predictor, vostool.decoder.compiled", ["torch", "onnx"]),
        ("import vostool.mask_propagation, vostool.training.recipes, vostool.backbones", ["torch"]),
        ("from vostool.cli import main; main.list_commands", ["numpy", "torch", "zarr", "rich"]),
    ],
)
def test_importing_loads_no_more_than_it_says(statement: str, heavy: list[str]) -> None:
    probe = f"{statement}\nimport sys\nprint(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
