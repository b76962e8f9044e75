"""Inputs that are not what they should be: taken, or refused in one line that names the thing.

Whatever is given, a command ends with 0, or with 1 or 2 and that line, and writes nothing but its
outputs; from Python all that is raised is a :class:`VostoolError`. The inputs are kept in
``corpus/``, where one more is one more file; hypothesis makes others, the same ones each time.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vostool as package
from tests.commands import CommandServer, Done
from tests.conftest import Once
from tests.faults.commands import make_inputs
from tests.faults.table import RIGHT, TABLE, TOLD, UNCLEAR
from vostool.errors import VostoolError

CORPUS = Path(__file__).with_name("corpus")
NAMES: list[str] = json.loads((CORPUS / "names.json").read_text())
COMMANDS = [
    line.split("=>")
    for line in (CORPUS / "commands.txt").read_text().splitlines()
    if not line.startswith("#")
]
SHARE = 3
"""One of so many is given to the command line in the short form; Python gets all."""
EXAMPLES = settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


class Field:
    """A folder with a store, the clip ``square``, its scribbles and its adapter; and ``out``.

    Args:
        folder: it, made by :func:`prepare`.
        server: runs commands.
    """

    def __init__(self, folder: Path, server: CommandServer) -> None:
        self.folder, self._server = folder, server
        self.look()

    def look(self) -> None:
        """Take what is there for what must stay."""
        self._before = self._things()

    def call(self, *arguments: object) -> Done:
        """Run vostool in the folder."""
        return self._server.call(self.folder, *arguments)

    def judge(self, kind: str, done: Done, name: str) -> str:
        """What is wrong with the end of a command: nothing, or in a word. Clears ``out``.

        Args:
            kind: of input, for the table.
            done: what came of it.
            name: what the error line must have.
        """
        problem = ""
        if done.status not in (0, 1, 2) or "Traceback" in done.err:
            problem = f"status {done.status}: {done.err[-1500:]}"
        elif done.status and (len(done.errors) != 1 or done.err.splitlines()[-1:] != done.errors):
            problem = f"not one line: {done.err!r}"
        elif done.status and name not in done.errors[0]:
            problem = f"names no {name!r}: {done.errors[0]}"
        elif (after := self._things()) != self._before:
            problem = f"written: {sorted(after.items() ^ self._before.items())}"
        TABLE.add(f"hostile {kind}", UNCLEAR if problem else TOLD if done.status else RIGHT)
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        (self.folder / "out").mkdir()
        return problem

    def _things(self) -> dict[str, tuple[int, int]]:
        """All that is there, but for outputs and locks, with sizes and times."""
        found = {}
        for file in self.folder.parent.rglob("*"):
            path = file.relative_to(self.folder.parent)
            if path.parts[:2] != ("field", "out") and ".locks" not in path.parts:
                status = file.lstat()
                here = (0, 0) if file.is_dir() else (status.st_size, status.st_mtime_ns)
                found[str(path)] = here
        return found


def prepare(folder: Path) -> None:
    """Fill a field."""
    make_inputs(folder / "given")
    shutil.move(folder / "given" / "square", folder / "square")
    shutil.copy(folder / "given" / "one.json", folder / "one.json")
    shutil.rmtree(folder / "given")
    session = package.open(folder / "square", store=folder / "store").session(device="cpu")
    session.add_scribbles(folder / "one.json")
    session.adapter.write(folder / "a.h5")
    (folder / "out").mkdir()


@pytest.fixture
def field(
    once: Once, tmp_path: Path, command_server: CommandServer, monkeypatch: pytest.MonkeyPatch
) -> Field:
    """A field of this test's own; the store that is meant where none is named is its."""
    shutil.copytree(once("hostile", prepare), tmp_path / "f" / "field")
    monkeypatch.setenv("VOSTOOL_STORE", "store")
    field = Field(tmp_path / "f" / "field", command_server)
    assert field.call("extract", "square").status == 0  # the store learns where the clip is now
    field.look()
    return field


def adapt(field: Field, case: Path) -> Done:
    return field.call("adapt", "square", "--scribbles", case, "--out", "out/b.h5")


def render(field: Field, case: Path) -> Done:
    return field.call("render", "--adapter", case, "--out", "out/m")


def go_on(field: Field, case: Path) -> Done:
    return field.call(
        "adapt", "square", "--from", case, "--scribbles", "one.json", "--out", "out/b.h5"
    )


def extract(field: Field, case: Path) -> Done:
    return field.call("extract", case, "--store", "out/s")


def weigh(field: Field, case: Path) -> Done:
    return field.call("extract", "square", "--weights", case, "--store", "out/s")


def davis(field: Field, case: Path) -> Done:
    return field.call("extract", "--davis-root", case, "seq", "--store", "out/s")


def score(field: Field, case: Path) -> Done:
    masks = case / "Annotations" / "480p"
    return field.call("score", masks, masks)


KINDS: dict[str, tuple[str, Callable[[Field, Path], Done]]] = {
    "scribbles": ("scribbles", adapt),
    "painted strokes": ("painted", adapt),
    "adapters to render": ("adapters", render),
    "adapters to go on from": ("adapters", go_on),
    "frames": ("frames", extract),
    "weights": ("weights", weigh),
    "DAVIS roots to extract": ("davis", davis),
    "DAVIS roots to score": ("davis", score),
}

NAMED = {
    "extract": ("extract", "square", "--store", "out/s", "--name", "{name}"),
    "adapt": ("adapt", "--scribbles", "one.json", "--out", "out/b.h5", "--", "{name}"),
    "store rm": ("store", "rm", "--", "{name}"),
}
"""Commands that take the name of a clip."""


@pytest.mark.parametrize("kind", KINDS)
def test_files(field: Field, kind: str) -> None:
    """A share of the files, or folders, of a kind, where a command takes them."""
    give_files(field, kind, SHARE)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_all_files(field: Field, kind: str) -> None:
    """All of them."""
    give_files(field, kind, 1)


def give_files(field: Field, kind: str, share: int) -> None:
    """Give one of so many to a command."""
    folder, work = KINDS[kind]
    inputs = field.folder.parent / "inputs"  # beside the field, where nothing may be written
    shutil.copytree(CORPUS / folder, inputs)
    field.look()
    problems = []
    for case in sorted(inputs.iterdir())[::share]:
        problem = field.judge(kind, work(field, case), case.name)
        if problem:
            problems.append(f"{case.name}: {problem}")
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems)


def test_commands(field: Field) -> None:
    """A share of the command lines that cannot be meant."""
    give_commands(field, SHARE)


@pytest.mark.long
def test_all_commands(field: Field) -> None:
    """All of them."""
    give_commands(field, 1)


def give_commands(field: Field, share: int) -> None:
    """Call one of so many."""
    problems = []
    for line, name in COMMANDS[::share]:
        done = field.call(*shlex.split(line))
        problem = field.judge("command lines", done, name.strip())
        if problem or not done.status:
            problems.append(f"{line}: {problem or 'done'}")
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems)


@pytest.mark.parametrize("command", NAMED)
def test_names(field: Field, command: str) -> None:
    """A share of the names of clips that lead elsewhere, or are none."""
    give_names(field, command, SHARE)


@pytest.mark.long
@pytest.mark.parametrize("command", NAMED)
def test_all_names(field: Field, command: str) -> None:
    """All of them."""
    give_names(field, command, 1)


def give_names(field: Field, command: str, share: int) -> None:
    """Give one of so many to a command; what a shell can give."""
    names = [name for name in NAMES if "\0" not in name and name.isprintable()]
    problems = []
    for name in names[list(NAMED).index(command) % share :: share]:
        done = field.call(*(word.format(name=name) for word in NAMED[command]))
        if problem := field.judge("names of clips", done, ""):
            problems.append(f"{name!r}: {problem}")
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems)


def attempt(kind: str, work: Callable[[], object]) -> None:
    """Do something from Python: it is done, or a :class:`VostoolError` of one line is raised."""
    verdict = UNCLEAR
    try:
        work()
        verdict = RIGHT
    except VostoolError as problem:
        assert str(problem) and "\n" not in str(problem), repr(str(problem))
        verdict = TOLD
    finally:
        TABLE.add(f"hostile {kind}, from Python", verdict)


def test_names_from_python(field: Field) -> None:
    store = package.FeatureStore(field.folder / "store")
    for name in NAMES:
        attempt("names of clips", lambda: store.clip(name).networks())  # noqa: B023
        attempt(
            "names of clips",
            lambda: package.open(field.folder / "square", store=store, name=name),  # noqa: B023
        )


@pytest.fixture
def session(field: Field) -> package.Session:
    """A session on the clip."""
    return package.open("square", store=field.folder / "store").session(device="cpu")


def test_scribbles_from_python(session: package.Session) -> None:
    for case in sorted((CORPUS / "scribbles").iterdir()):
        attempt("scribbles", lambda: session.add_scribbles(case))  # noqa: B023


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["path", "object_id", 0, 1, 255, 0.5])
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["path", "object_id", "scribbles", "x"]), inner)
    ),
    max_leaves=12,
)
POINT = st.lists(st.floats(-0.1, 1.1) | LEAVES, min_size=2, max_size=2) | ANYTHING
STROKE = st.fixed_dictionaries(
    {"path": st.lists(POINT, max_size=3) | ANYTHING, "object_id": st.integers(-1, 257) | LEAVES}
)
DOCUMENT = st.fixed_dictionaries(
    {"scribbles": st.lists(st.lists(STROKE | ANYTHING, max_size=2) | ANYTHING, max_size=12)},
    optional={"sequence": ANYTHING},
)


@given(document=DOCUMENT | ANYTHING)
@EXAMPLES
def test_any_scribbles(session: package.Session, tmp_path: Path, document: Any) -> None:
    file = tmp_path / "any.json"
    file.write_text(json.dumps(document))
    attempt("scribbles", lambda: session.add_scribbles(file))


@given(
    frame=st.integers(0, 9) | st.integers(-2, 12) | LEAVES,
    path=st.just([[0.2, 0.5], [0.4, 0.5]])
    | st.lists(st.lists(st.floats(), max_size=3) | st.just([0.5, 0.5]), max_size=3),
    object_id=st.integers(1, 3) | st.integers(-2, 300) | LEAVES,
)
@EXAMPLES
def test_any_strokes(session: package.Session, frame: Any, path: Any, object_id: Any) -> None:
    try:
        points = np.array(path, float)
    except ValueError:
        points = np.array(path, object)
    stroke = package.Stroke(object_id, points)
    attempt("strokes", lambda: session.add_scribbles({frame: [stroke]}))


@given(
    frame=st.integers(0, 9) | st.integers(-2, 12),
    shape=st.just((48, 64)) | st.sampled_from([(48, 64, 3), (64, 48), (0, 64), (), (48 * 64,)]),
    kind=st.sampled_from(["u1", "i2", "u8"])
    | st.sampled_from(["f4", "?", "U1", "O", "M8[s]", "c8"]),
    values=st.integers(1, 3) | st.sampled_from([0, 255, 256, -1]),
)
@EXAMPLES
def test_any_arrays(
    session: package.Session, frame: int, shape: tuple[int, ...], kind: str, values: int
) -> None:
    painted = np.full(shape, 0).astype(kind)
    if painted.ndim == 2 and painted.size and kind != "M8[s]":
        painted[2:4, 2:9] = np.array(values).astype(kind)
    attempt("painted arrays", lambda: session.add_scribbles({frame: painted}))


@given(where=st.floats(0, 1), change=st.binary(min_size=1, max_size=8), cuts=st.booleans())
@EXAMPLES
def test_any_adapter(field: Field, tmp_path: Path, where: float, change: bytes, cuts: bool) -> None:
    """A real one of which a part is something else."""
    content = bytearray((field.folder / "a.h5").read_bytes())
    at = int(where * (len(content) - 1))
    content[at : len(content) if cuts else at + len(change)] = change
    file = tmp_path / "any.h5"
    file.write_bytes(content)
    attempt("adapters", lambda: package.Adapter.read(file))
