"""Weights are found where users put them, and where they are missing, what to fetch is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from vostool.backbones import BACKBONES, DEFAULT, find_network, weights_folders
from vostool.checkpoints import fingerprint
from vostool.errors import WeightsError

RESNET, XCEPTION = "deeplabv2-resnet101", "deeplabv3plus-xception65"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    chosen, cache = tmp_path / "chosen", tmp_path / "cache"
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(chosen))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for folder in (chosen, cache / "vostool"):
        folder.mkdir(parents=True)
    return chosen, cache / "vostool"


def test_the_variable_comes_before_the_cache(folders: tuple[Path, Path]) -> None:
    chosen, cache = folders
    assert weights_folders() == [chosen, cache]
    (cache / f"{RESNET}.pth").write_bytes(b"c")
    assert find_network(RESNET).find_weights() == cache / f"{RESNET}.pth"
    (chosen / f"{RESNET}.pt").write_bytes(b"v")
    assert find_network(RESNET).find_weights() == chosen / f"{RESNET}.pt"


@pytest.mark.parametrize("name", [RESNET, XCEPTION])
def test_missing_weights_tell_what_to_fetch_and_where_to_put_it(
    folders: tuple[Path, Path], name: str
) -> None:
    with pytest.raises(WeightsError) as caught:
        find_network(name).find_weights()
    for word in (BACKBONES[name].source, str(folders[0] / name), "--weights"):
        assert word in str(caught.value)


def test_a_tensorflow_checkpoint_goes_by_its_prefix(folders: tuple[Path, Path]) -> None:
    chosen, _ = folders
    for part in ("index", "data-00000-of-00001"):
        (chosen / f"{XCEPTION}.ckpt.{part}").write_bytes(part.encode())
    index = chosen / f"{XCEPTION}.ckpt.index"
    assert find_network(XCEPTION).find_weights() == index
    assert find_network(XCEPTION).find_weights(str(chosen / f"{XCEPTION}.ckpt")) == index
    before = find_network(XCEPTION).fingerprint()
    (chosen / f"{XCEPTION}.ckpt.data-00000-of-00001").write_bytes(b"other")
    assert find_network(XCEPTION).fingerprint() != before, "the data decide, not the index alone"


def test_a_given_file_is_taken_or_told(folders: tuple[Path, Path]) -> None:
    chosen, _ = folders
    (chosen / "w.pth").write_bytes(b"w")
    assert find_network(DEFAULT).find_weights(str(chosen / "w.pth")) == chosen / "w.pth"
    assert find_network(DEFAULT).fingerprint(str(chosen / "w.pth")) == fingerprint(chosen / "w.pth")
    with pytest.raises(WeightsError, match=r"nothing\.pth: no such file"):
        find_network(RESNET).find_weights("nothing.pth")
    assert find_network(RESNET).fingerprint("random") == "random"


def test_the_hash_of_weights_of_ones_own_is_told(folders: tuple[Path, Path]) -> None:
    """Nothing says whether a bit of them has flipped; with the hash a user can."""
    file = folders[0] / f"{RESNET}.pth"
    file.write_bytes(b"v")
    assert find_network(RESNET).remarks() == [f"{file}: SHA-256 {fingerprint(file)}"]


def test_weights_that_differ_from_the_published_are_told(tmp_path: Path) -> None:
    network = find_network(DEFAULT)
    assert network.remarks() == [] and network.remarks("random") == []
    published = network.find_weights()
    assert published is not None
    copy = tmp_path / "mine.pth"
    copy.write_bytes(published.read_bytes())
    assert network.remarks(str(copy)) == [f"{copy}: SHA-256 {network.sha256}"]
    content = bytearray(published.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    own, differs = network.remarks(str(copy))
    assert own.endswith(fingerprint(copy)) and f"not the published weights of {DEFAULT}" in differs
