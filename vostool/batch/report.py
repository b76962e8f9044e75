"""How far a batch is, a row a clip, and the page that shows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from vostool.batch.folder import BatchFolder
from vostool.files import replacing

DONE, FAILED, TO_DO = "done", "failed", "to do"
"""States of a clip, beside those of its job."""
STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 2em }
th, td { border-bottom: 1px solid #ccc; padding: .2em .8em .2em 0; text-align: left }
td { overflow-wrap: anywhere; vertical-align: top }"""


@dataclass(frozen=True)
class Row:
    """How far a clip is.

    Attributes:
        clip: its name.
        source: its file or folder.
        state: ``done``, ``failed``, ``running``, ``waiting`` or ``to do``.
        stage: the one that is to be made next, or has failed; None where all are made.
        error: the one line that tells what is wrong; None where it has not failed.
        log: what the command printed that failed.
    """

    clip: str
    source: str
    state: str
    stage: str | None
    error: str | None
    log: str | None


def rows(
    batch: BatchFolder,
    missing: Mapping[str, tuple[str, ...]],
    live: Mapping[str, str],
    live_keys: frozenset[str],
) -> list[Row]:
    """How far each clip is.

    Args:
        batch: the batch.
        missing: by clip, what is to be made.
        live: by clip, what its job does, of those whose job is not at its end.
        live_keys: the jobs that are not at their end.
    """
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for outcome in batch.outcomes():
        place = outcome["clip"], outcome["stage"]
        if place not in last or last[place]["ended"] < outcome["ended"]:
            last[place] = outcome
    return [
        _row(batch, clip, source, missing[clip], live.get(clip), live_keys, last)
        for clip, source in batch.clips.items()
    ]


def _row(
    batch: BatchFolder,
    clip: str,
    source: str,
    missing: tuple[str, ...],
    job: str | None,
    live_keys: frozenset[str],
    last: Mapping[tuple[str, str], dict[str, Any]],
) -> Row:
    if not missing:
        return Row(clip, source, DONE, None, None, None)
    stage = missing[0]
    outcome = last.get((clip, stage), {})
    error = outcome.get("error")
    if error is not None and (job is None or outcome["job"] in live_keys):
        return Row(clip, source, FAILED, stage, error, str(batch.log(stage, clip)))
    return Row(clip, source, job or TO_DO, stage, None, None)


def write(batch: BatchFolder, every: Sequence[Row]) -> None:
    """Write ``report.jsonl``, a row a clip, and ``report.html``, with those that are not done."""
    with replacing(batch.path / "report.jsonl") as tmp, tmp.open("w") as stream:
        stream.writelines(json.dumps(asdict(row)) + "\n" for row in every)
    with replacing(batch.path / "report.html") as tmp, tmp.open("w") as stream:
        stream.writelines(_page(batch, every))


def summary(every: Iterable[Row]) -> str:
    """How many clips are how far, in a line."""
    counts = Counter(row.state for row in every)
    told = [f"{number} {state}" for state, number in counts.most_common()]
    return f"{sum(counts.values())} clips: {', '.join(told) or 'none'}"


def _page(batch: BatchFolder, every: Sequence[Row]) -> Iterator[str]:
    name = escape(batch.path.name)
    yield (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{name}</title>\n'
        f"<style>\n{STYLE}\n</style>\n<h1>{name}</h1>\n<p>{escape(summary(every))}. "
        "<code>report.jsonl</code> has every clip.</p>\n"
    )
    failed = [row for row in every if row.state == FAILED]
    if failed:
        yield "<h2>Failed</h2>\n<table><tr><th>clip<th>stage<th>what is wrong<th></tr>\n"
        for row in failed:
            log = batch.log(row.stage or "", row.clip).relative_to(batch.path).as_posix()
            cells = (row.clip, row.stage or "", row.error or "")
            told = "".join(f"<td>{escape(cell)}" for cell in cells)
            yield f'<tr>{told}<td><a href="{escape(log)}">log</a></tr>\n'
        yield "</table>\n"
    others = [row for row in every if row.state not in (DONE, FAILED)]
    if others:
        yield "<h2>Not done yet</h2>\n<table><tr><th>clip<th>next stage<th></tr>\n"
        for row in others:
            cells = (row.clip, row.stage or "", row.state)
            yield f"<tr>{''.join(f'<td>{escape(cell)}' for cell in cells)}</tr>\n"
        yield "</table>\n"
    yield "</html>\n"
