"""Context is made of backbone features, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from vostool.backbones import DEFAULT
from vostool.cli.mends import one_line
from vostool.errors import MissingStageError
from vostool.pipeline.context import propagate
from vostool.store import FeatureStore


def test_context_is_propagated_once(
    square_store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = square_store.clip("square")
    context = square.stage(DEFAULT, "context")
    assert context.frames == 12 and [lv.shape for lv in context.pyramid.levels] == [(24, 32, 128)]
    monkeypatch.setattr(
        "vostool.strnn.context.ContextRNN", lambda *_: pytest.fail("ran the network")
    )
    assert propagate(square).cache_key == context.cache_key


def test_propagate_needs_extract(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError) as caught:
        propagate(FeatureStore(tmp_path / "store").clip("square"))
    assert "vostool extract" in one_line(caught.value)
    assert not (tmp_path / "store").exists()
