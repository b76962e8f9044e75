"""TensorFlow's checkpoints are read as TensorFlow wrote them, and broken ones are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tf_checkpoints import write_bundle
from vostool.errors import WeightsError
from vostool.tf_checkpoint import read_tf_checkpoint

Tensors = dict[str, npt.NDArray[np.generic]]


def some_tensors(count: int, seed: int = 0) -> Tensors:
    rng = np.random.default_rng(seed)
    tensors: Tensors = {
        f"scope_{n % 7}/block{n}/weights": rng.normal(
            size=tuple(rng.integers(1, 6, rng.integers(0, 5)))
        ).astype(np.float32)
        for n in range(count)
    }
    return {**tensors, "global_step": np.array(1234567, np.int64)}


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 200), shards=st.integers(1, 3), seed=st.integers(0, 99))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, count: int, shards: int, seed: int
) -> None:
    tensors = some_tensors(count, seed)
    index = write_bundle(tmp_path_factory.mktemp("bundle") / "model.ckpt", tensors, shards)
    read = read_tf_checkpoint(index)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape


def test_tensorflows_own_checkpoints_are_read(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed; 1.6 GB")
    tensors = some_tensors(300)
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt"),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(tensor) for tensor in tensors.values()],
    )
    read = read_tf_checkpoint(tmp_path / "model.ckpt.index")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)


@pytest.mark.parametrize("length", [0, 10, 47, 100, -1, -60, -400])
def test_an_index_that_was_cut_short_is_told(tmp_path: Path, length: int) -> None:
    index = write_bundle(tmp_path / "model.ckpt", some_tensors(200))
    index.write_bytes(index.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"model\.ckpt\.index: not a whole TensorFlow"):
        read_tf_checkpoint(index)


def test_data_that_are_missing_or_short_are_told(tmp_path: Path) -> None:
    index = write_bundle(tmp_path / "model.ckpt", some_tensors(20), shards=2)
    shard = tmp_path / "model.ckpt.data-00001-of-00002"
    shard.write_bytes(shard.read_bytes()[:-3])
    with pytest.raises(WeightsError, match="not a whole TensorFlow checkpoint"):
        read_tf_checkpoint(index)
    shard.unlink()
    with pytest.raises(WeightsError, match="data-00001-of-00002: cannot be read"):
        read_tf_checkpoint(index)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_never_makes_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    index = tmp_path_factory.mktemp("bundle") / "model.ckpt.index"
    for end in (b"", bytes.fromhex("57fb808b247547db")):
        index.write_bytes(content + end)
        with pytest.raises(WeightsError):
            read_tf_checkpoint(index)
