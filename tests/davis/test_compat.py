"""davisinteractive runs on today's libraries, is right on them, and leaves no mark on them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import vostool
from vostool.davis import compat

REPOSITORY = Path(vostool.__file__).parents[1]


def run_python(script: str, directory: Path, *arguments: str) -> str:
    """What a fresh Python prints that runs a script in a directory."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("DATASET_DAVIS", None)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# No marks on anyone else's libraries.

MARKS = """
import builtins, json, sys
import networkx, numpy, pandas, skimage.morphology

def marks():
    return {
        "__import__": id(builtins.__import__),
        "numpy.int": hasattr(numpy, "int"),
        "numpy.float": hasattr(numpy, "float"),
        "numpy.bool": id(getattr(numpy, "bool", None)),
        "numpy.trapz": hasattr(numpy, "trapz"),
        "networkx": hasattr(networkx, "from_scipy_sparse_matrix"),
        "skimage": id(skimage.morphology.medial_axis),
        "concat": id(pandas.concat),
        "values": id(pandas.DataFrame.values),
    }

before = marks()
from vostool.davis import compat
package = compat.load()
truth = numpy.ones((1, 9, 9), int)
assert package.metrics.batched_jaccard(truth, truth)[0] == 1
robot = package.robot.InteractiveScribblesRobot()
graph, points = robot._mask2graph(truth[0] > 0)
assert len(graph) == len(points) == 81
assert sys.modules["numpy"] is numpy and sys.modules["pandas"] is pandas
print(json.dumps([before, marks()]))
"""


@pytest.mark.usefixtures("davisinteractive")
def test_no_marks_are_left_on_the_libraries(tmp_path: Path) -> None:
    before, after = json.loads(run_python(MARKS, tmp_path))
    assert after == before


THREADS = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from vostool.davis import compat

together = Barrier(8)

def load(_):
    together.wait()
    package = compat.load()
    return id(package), id(package.dataset.Davis), id(package.session.DavisInteractiveSession)

with ThreadPoolExecutor(8) as pool:
    loaded = set(pool.map(load, range(8)))
print(len(loaded))
"""


@pytest.mark.usefixtures("davisinteractive")
def test_threads_that_load_together_get_the_same_package(tmp_path: Path) -> None:
    assert run_python(THREADS, tmp_path).split()[0] == "1"


IMPORTED_BEFORE = """
import numpy
from davisinteractive.utils.operations import bezier_curve

try:
    bezier_curve([[0, 0], [1, 1]])
except AttributeError:
    print("broken")
from vostool.davis import compat
compat.load()
print(len(bezier_curve([[0, 0], [1, 1]])))
"""


@pytest.mark.usefixtures("davisinteractive")
def test_what_was_imported_before_is_mended_too(tmp_path: Path) -> None:
    assert run_python(IMPORTED_BEFORE, tmp_path).split() == ["broken", "1000"]


# The error where it is not installed.

MISSING = """
import sys
from vostool.davis import compat
from vostool.errors import VostoolError

sys.modules[sys.argv[1]] = None  # Python's own way to have an import fail
try:
    compat.load()
except VostoolError as error:
    print(error)
"""


def test_a_missing_package_gives_one_line_that_says_how_to_install_it(tmp_path: Path) -> None:
    (line,) = run_python(MISSING, tmp_path, "davisinteractive").splitlines()
    assert "davisinteractive, which is not installed" in line
    assert "python3 tools/environment.py --davisinteractive" in line
    assert all(command in line for command in compat.INSTALL_COMMANDS)


@pytest.mark.usefixtures("davisinteractive")
def test_a_missing_library_is_named(tmp_path: Path) -> None:
    (line,) = run_python(MISSING, tmp_path, "networkx").splitlines()
    assert "networkx, which is not installed" in line


# Its own tests.

NETWORK = "downloads the DAVIS 2017 data set"
PICTURES = "needs DAVIS pictures that the distribution leaves out"
SESSION = "session/session_test.py::TestDavisInteractiveSession::"
RLE = "third_party/mask_api/mask_test.py::"
NOT_RUN = {
    "dataset/davis_test.py::TestDavis::test_checking_success": NETWORK,
    "dataset/davis_test.py::TestDavis::test_load_annotations": PICTURES,
    "dataset/davis_test.py::TestDavis::test_load_images": PICTURES,
    SESSION + "test_integration_single": PICTURES,
    SESSION + "test_integration_multiple": PICTURES,
    SESSION + "test_integration_multiple_sequences": PICTURES,
    SESSION + "test_integration_multiple_sequences_metric": PICTURES,
    SESSION + "test_integration_single_only_last": PICTURES,
    SESSION + "test_integration_single_timeout": PICTURES,
    SESSION + "test_shuffle": PICTURES,
    RLE + "TestSingleMaskEncoding::test": PICTURES,
    RLE + "TestMultiMaskEncoding::test": PICTURES,
    RLE + "TestMultiMaskEncoding::test_json_encoding": PICTURES,
    "utils/mask_test.py::TestCombineMasks::test_combine_masks": PICTURES,
}

OWN_TESTS = """
import json, os, sys
import pytest
from vostool.davis import compat

not_run = json.loads(sys.argv[1])
names, outcomes = [], {}

class Recorder:
    @staticmethod
    def pytest_collection_modifyitems(items):
        names.extend(item.nodeid for item in items)
        items[:] = [item for item in items if item.nodeid not in not_run]

    @staticmethod
    def pytest_runtest_logreport(report):
        if report.when == "call" or report.outcome != "passed":
            outcomes[report.nodeid] = report.outcome

folder = os.path.dirname(compat.load().__file__)
# Plain asserts: to rewrite them, pytest would import the tests itself, which leaves them unmended.
options = ["--assert=plain", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder,
           "-o", "python_files=*_test.py", "-q", "--tb=short", "--pyargs", "davisinteractive"]
sys.stdout = sys.stderr
pytest.main(options, plugins=[Recorder])
print(json.dumps([names, outcomes]), file=sys.__stdout__)
"""


@pytest.mark.usefixtures("davisinteractive")
def test_its_own_tests_pass(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("matplotlib")
    printed = run_python(OWN_TESTS, tmp_path, json.dumps(NOT_RUN))
    names, outcomes = json.loads(printed.splitlines()[-1])

    assert set(names) - set(outcomes) == set(NOT_RUN)
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "passed"} == {}
    assert len(outcomes) >= 61


# A session, with numbers taken under the libraries of 2020: numpy 1.18, pandas 1.0, networkx 2.4,
# scikit-learn 0.20.3 and scikit-image 0.16, unmended.

FRAMES, HEIGHT, WIDTH = 3, 96, 128
OBJECT_COUNTS = {"zebra": 2, "apple": 1}
# The object of each stroke of a session, and where its strokes lie on average.
STROKE_OBJECTS = (
    4 * [0] + 4 * [1] + 3 * [2] + 3 * [0] + [1, 1, 2, 2] + 3 * [0] + 4 * [1] + [0, 0, 1, 1]
)
STROKE_MEAN = [0.4117273259970223, 0.4709723340020186]  # x, y


def striped_ellipses(object_count: int, shift: int) -> NDArray[np.uint8]:
    """(T, H, W) labels that are the same under every version of every library."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for frame in range(FRAMES):
        for k in range(object_count):
            down = rows - 40 - 10 * k - shift
            right = columns - 35 - 50 * k - 4 * frame - shift
            ellipse = 3 * down**2 + (1 + k) * right**2 + down * right < 900
            labels[frame][ellipse & ((down + right) % 13 > 1)] = k + 1
    return labels


@pytest.fixture
def davis_root(
    tmp_path: Path, davisinteractive: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with the pictures and first scribbles of two sequences."""
    sequences = {}
    for name, object_count in OBJECT_COUNTS.items():
        annotations = tmp_path / "Annotations" / "480p" / name
        annotations.mkdir(parents=True)
        for frame, labels in enumerate(striped_ellipses(object_count, shift=0)):
            Image.fromarray(labels).save(annotations / f"{frame:05d}.png")
        scribbles = tmp_path / "Scribbles" / name
        scribbles.mkdir(parents=True)
        first = {"sequence": name, "scribbles": [[] for _ in range(FRAMES)]}
        (scribbles / "001.json").write_text(json.dumps(first))
        sequences[name] = {
            "num_frames": FRAMES,
            "num_objects": object_count,
            "num_scribbles": 1,
            "image_size": [WIDTH, HEIGHT],
        }
    monkeypatch.setattr(davisinteractive.dataset.Davis, "dataset", sequences)
    monkeypatch.setattr(davisinteractive.dataset.Davis, "sets", {"val": list(sequences)})
    return tmp_path


def run_session(
    davisinteractive: ModuleType,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    max_time: int | None,
    slowdown: float = 1.0,
) -> SimpleNamespace:
    """Run a session of three rounds whose masks get better, by a clock of our own."""
    clock = SimpleNamespace(now=1000.0)
    clock.time = lambda: clock.now
    monkeypatch.setattr(davisinteractive.session.session, "time", clock)
    session = davisinteractive.session.DavisInteractiveSession(
        davis_root=root,
        report_save_dir=root / "reports",
        user_key="somebody",
        max_time=max_time,
        max_nb_interactions=3,
    )
    strokes: list[Any] = []
    rounds = 0
    with session:
        for sequence, scribbles, _ in session.scribbles_iterator(only_last=True):
            strokes += [stroke for frame in scribbles["scribbles"] for stroke in frame]
            rounds += 1
            clock.now += slowdown * (2 + rounds)
            shift = 6 - 2 * session.interaction_nb
            session.submit_masks(striped_ellipses(OBJECT_COUNTS[sequence], shift))
    return SimpleNamespace(
        summary=session.get_global_summary(),
        report=session.get_report(),
        strokes=strokes,
        rounds=rounds,
    )


def assert_summary(
    summary: dict[str, Any], auc: float, time: list[float], j_f: list[float]
) -> None:
    assert summary["auc"] == pytest.approx(auc, abs=1e-9)
    assert summary["metric_at_threshold"]["threshold"] == 60
    assert summary["metric_at_threshold"]["J_AND_F"] == pytest.approx(j_f[-1], abs=1e-9)
    assert summary["curve"]["time"] == pytest.approx(time, abs=1e-9)
    assert summary["curve"]["J_AND_F"] == pytest.approx(j_f, abs=1e-9)


def test_a_session_scores_as_it_did_in_2020(
    davisinteractive: ModuleType, davis_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_session(davisinteractive, davis_root, monkeypatch, max_time=None)

    assert done.rounds == 6
    assert_summary(
        done.summary,
        auc=0.5054905340192868,
        time=[0.0, 4.5, 10.0, 16.5, 24.0],
        j_f=[0.0, 0.5854918391209141, 0.4458381150040122, 0.607375342403185, 0.607375342403185],
    )
    assert all(done.report[column].dtype == float for column in ("jaccard", "contour", "timing"))


def test_the_robot_draws_the_strokes_it_drew_in_2020(
    davisinteractive: ModuleType, davis_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_session(davisinteractive, davis_root, monkeypatch, max_time=None)

    paths = np.array([stroke["path"] for stroke in done.strokes])
    assert paths.shape == (29, 1000, 2)
    assert [stroke["object_id"] for stroke in done.strokes] == STROKE_OBJECTS
    np.testing.assert_allclose(paths.mean(axis=(0, 1)), STROKE_MEAN, atol=1e-9)


def test_a_session_out_of_time_scores_as_it_did_in_2020(
    davisinteractive: ModuleType, davis_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_session(davisinteractive, davis_root, monkeypatch, max_time=8)

    assert done.rounds == 5
    assert_summary(
        done.summary,
        auc=0.4617139636045848,
        time=[0.0, 4.5, 6.5, 9.0, 12.0],
        j_f=[0.0, 0.5854918391209141, 0.4931145698603741, 0.5948732479826363, 0.5948732479826363],
    )


def test_a_session_whose_every_round_is_too_late_scores_nothing(
    davisinteractive: ModuleType, davis_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_session(davisinteractive, davis_root, monkeypatch, max_time=8, slowdown=100)

    assert done.rounds == 2
    assert len(done.report) == 0
    assert done.summary["auc"] == 0
    assert done.summary["metric_at_threshold"]["J_AND_F"] == 0


def test_the_skeleton_is_the_one_of_2020(davisinteractive: ModuleType) -> None:
    mask = striped_ellipses(1, shift=0)[0] == 1
    skeleton = davisinteractive.robot.InteractiveScribblesRobot()._generate_scribble_mask(mask)

    assert skeleton.sum() == 106
    assert hashlib.sha256(np.packbits(skeleton).tobytes()).hexdigest()[:16] == "dcd7221992077bfd"
