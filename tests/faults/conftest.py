"""A bench for the whole run, the marker of the long form, and the table at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.commands import PREPARATION, STEPS, Bench, Step
from tests.faults.table import TABLE

FILE_VARIABLE = "VOSTOOL_FAULTS_TABLE"
"""Names a file to write the table to."""


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker of what takes long."""
    config.addinivalue_line("markers", "long: every fault, not a sample; run with -m long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long form out unless it is asked for."""
    if "long" in (config.getoption("markexpr") or ""):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="every fault: run with -m long"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of what came of all faults."""
    table = TABLE.markdown()
    if table.count("\n") <= 2:
        return
    terminalreporter.write_line("")
    terminalreporter.write(table)
    if file := os.environ.get(FILE_VARIABLE):
        Path(file).write_text(table)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench, with the shim under it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("faults are put between vostool and libc: needs Linux and a C compiler")
    place = tmp_path_factory.mktemp("faults")
    shim = place / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        [compiler, "-O1", "-fPIC", "-shared", "-o", shim, source, "-ldl", "-lpthread"], check=True
    )
    bench = Bench(place, shim)
    yield bench
    bench.close()


@dataclass(frozen=True)
class Prepared:
    """A step, and what lies around it.

    Attributes:
        step: the command.
        kept: a copy of the outputs before it.
        old, new: what they hold before and after it, undisturbed.
    """

    step: Step
    kept: Path
    old: dict[str, str]
    new: dict[str, str]


@pytest.fixture(scope="session")
def steps(bench: Bench) -> dict[str, Prepared]:
    """All steps by name, each run once undisturbed."""
    for step in PREPARATION:
        assert bench.run(step, after=False).status == 0
    prepared = {}
    for step in STEPS:
        kept = bench.save(step.name)
        outcome = bench.run(step, before=True)
        assert outcome.status == 0, outcome.err
        prepared[step.name] = Prepared(step, kept, outcome.before, outcome.after)
    bench.save("end")
    return prepared
