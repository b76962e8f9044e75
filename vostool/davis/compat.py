"""davisinteractive 1.0.4 on today's libraries.

The package was last released in 2020 and relies on names and habits that numpy, networkx, pandas
and scikit-image have dropped since. `load` imports it mended. Only its own modules see the mends:
each is run with an `__import__` of its own, which hands it stand-ins for those four libraries.
The libraries themselves are not touched, so `numpy.int` stays as absent for everyone else as it
was before.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

import numpy as np

from vostool.errors import VostoolError

PACKAGE = "davisinteractive"
SUBPACKAGES = ("dataset", "evaluation", "metrics", "robot", "session", "storage", "utils")

INSTALL_COMMANDS = (
    # What the package is built with, then what it imports. Its own list pins scikit-learn 0.20.3,
    # which no longer builds, so the package itself is installed without its dependencies.
    "pip install setuptools wheel Cython numpy scipy pandas networkx scikit-learn scikit-image "
    "Pillow absl-py requests six matplotlib",
    "pip install --no-build-isolation --no-deps davisinteractive==1.0.4",
)


class DavisInteractiveError(VostoolError):
    """davisinteractive, or a library it imports, is not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"the DAVIS benchmark needs {missing}, which is not installed: "
            "run python3 tools/environment.py --davisinteractive, "
            f"or {' && '.join(INSTALL_COMMANDS)}"
        )


def load() -> ModuleType:
    """Import davisinteractive and its subpackages, mended, and return the package.

    Calling it again, from any thread, returns the same package.

    Raises:
        DavisInteractiveError: one line that says how to install what is missing.
    """
    with _LOCK:
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)
        try:
            _mend_what_was_loaded_before()
            for subpackage in SUBPACKAGES:
                importlib.import_module(f"{PACKAGE}.{subpackage}")
        except ModuleNotFoundError as error:
            raise DavisInteractiveError((error.name or PACKAGE).partition(".")[0]) from error
        return sys.modules[PACKAGE]


def _mend_what_was_loaded_before() -> None:
    """Run again, in place, the package's modules that someone imported before `load`."""
    for name, module in list(sys.modules.items()):
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        if _belongs_to_package(name) and type(loader) is SourceFileLoader:
            importlib.reload(module)


def _belongs_to_package(module_name: str) -> bool:
    return module_name.partition(".")[0] == PACKAGE


class _MendingFinder(MetaPathFinder):
    """Finds the package's modules where Python would, and has `_MendingLoader` run them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec, or None for a module that is not the package's."""
        if not _belongs_to_package(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _MendingLoader(spec.loader.name, spec.loader.path)
        return spec


class _MendingLoader(SourceFileLoader):
    """Runs a module with an `__import__` that hands out stand-ins."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then mend what it defined."""
        # Python looks `__import__` up in the module's own `__builtins__`, so this reaches every
        # import statement of this module, those inside functions too, and no other module's.
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_stand_in}
        super().exec_module(module)
        if module.__name__ == f"{PACKAGE}.evaluation.service":
            _mend_summaries(module)


def _import_stand_in(name: str, *arguments: Any, **keywords: Any) -> ModuleType:
    """`__import__` as the package's modules see it."""
    module = builtins.__import__(name, *arguments, **keywords)
    names = _NAMES_FROM_2020.get(module.__name__)
    return module if names is None else _StandIn(module, names(module))


class _StandIn(ModuleType):
    """A library with some names of its own; all others are the real library's."""

    def __init__(self, library: ModuleType, names: Mapping[str, object]) -> None:
        super().__init__(library.__name__, library.__doc__)
        self.__dict__.update(names)
        self._library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


def _numpy_names(numpy: ModuleType) -> dict[str, object]:
    trapezoid = getattr(numpy, "trapezoid", None) or numpy.trapz  # before and since numpy 2
    return {"int": int, "float": float, "bool": bool, "trapz": trapezoid}


def _networkx_names(networkx: ModuleType) -> dict[str, object]:
    return {"from_scipy_sparse_matrix": networkx.from_scipy_sparse_array}


def _skimage_morphology_names(morphology: ModuleType) -> dict[str, object]:
    """`medial_axis` as it was: the same skeleton in every run, not one of several at random."""

    def medial_axis(image: np.ndarray) -> np.ndarray:
        skeleton: np.ndarray = morphology.medial_axis(image, rng=_TieBreaker())
        return skeleton

    return {"medial_axis": medial_axis}


class _TieBreaker(np.random.Generator):
    """The order in which scikit-image 0.16 broke ties between pixels, as a `Generator`."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """Shuffle as `RandomState(0)` does."""
        return np.random.RandomState(0).permutation(x)


def _pandas_names(pandas: ModuleType) -> dict[str, object]:
    """`concat` as it was: an empty table does not turn the columns of the others into objects."""

    def concat(tables: Iterable[Any], ignore_index: bool) -> Any:
        filled = [table for table in tables if len(table)]
        return pandas.concat(filled, ignore_index=ignore_index)

    return {"concat": concat}


_NAMES_FROM_2020: dict[str, Callable[[ModuleType], dict[str, object]]] = {
    "numpy": _numpy_names,
    "networkx": _networkx_names,
    "skimage.morphology": _skimage_morphology_names,
    "pandas": _pandas_names,
}


def _mend_summaries(service: ModuleType) -> None:
    """Let `summarize_report` average a table with text in it, and write to a table's `values`."""
    evaluation_service = service.EvaluationService
    summarize_report = evaluation_service.summarize_report
    writable_table = _writable_table(service.pd.DataFrame)

    @functools.wraps(summarize_report)
    def summarize_numbers(self: object, df: Any) -> Any:
        numbers = df.drop(columns="session_id", errors="ignore")
        numbers = numbers.astype(dict.fromkeys(_AVERAGED_COLUMNS, float))
        return summarize_report(self, writable_table(numbers))

    evaluation_service.summarize_report = summarize_numbers


_AVERAGED_COLUMNS = ("jaccard", "contour", "j_and_f", "timing")


def _writable_table(data_frame: Any) -> Any:
    """A `DataFrame` class whose `values` is a copy to write to; pandas 3 gives a read-only view."""
    members = {
        "_constructor": property(lambda self: table),
        "values": property(lambda self: self.to_numpy(copy=True)),
    }
    table: Any = type("WritableTable", (data_frame,), members)
    return table


_LOCK = threading.RLock()
_FINDER = _MendingFinder()
