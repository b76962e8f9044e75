"""The weights that ship with the package are found by name, and have their card."""

from __future__ import annotations

from pathlib import Path

import pytest

from vostool.checkpoints import fingerprint
from vostool.errors import WeightsError
from vostool.weights import find_weights, shipped

SHIPPED = shipped()


def test_weights_are_found_by_name_or_by_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"x")
    assert find_weights(str(file)) == file and find_weights("decoder").name == "decoder.safetensors"
    with pytest.raises(WeightsError, match=r"nothing: no such file of weights; shipped are: .*rnn"):
        find_weights("nothing")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_have_a_card_and_are_small(name: str) -> None:
    file = find_weights(name)
    cards = [card.read_text(encoding="utf-8") for card in file.parent.glob("*.md")]
    assert any(fingerprint(file) in card for card in cards), "a card tells of these very weights"
    assert sum(find_weights(each).stat().st_size for each in SHIPPED) < 15e6
