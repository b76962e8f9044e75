"""Weights in an ONNX file: matrices as layers have them, by names that the nodes tell."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vostool.errors import WeightsError
from vostool.onnx_weights import read_onnx

onnx = pytest.importorskip("onnx", reason="the extra vostool[dinov2] is not installed")


def test_matrices_are_turned_and_named_by_their_nodes(tmp_path: Path) -> None:
    matrix, bias, places = np.arange(6.0).reshape(2, 3), np.ones(3), np.zeros((1, 4))
    arrays = {"onnx::MatMul_7": matrix, "net.fc.bias": bias, "onnx::Add_9": places}
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "onnx::MatMul_7"], ["y"], name="/net/fc/MatMul"),
        onnx.helper.make_node("Add", ["onnx::Add_9", "y"], ["z"], name="/net/Add"),
    ]
    initialisers = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = onnx.helper.make_graph(nodes, "graph", [], [], initialisers)
    onnx.save(onnx.helper.make_model(graph), tmp_path / "w.onnx")
    found = read_onnx(tmp_path / "w.onnx")
    assert found.keys() == {"net.fc.weight", "net.fc.bias", "net.Add"}
    np.testing.assert_array_equal(found["net.fc.weight"], matrix.T)
    np.testing.assert_array_equal(found["net.Add"], places)


@pytest.mark.parametrize("content", [b"", b"not protobuf at all", bytes(range(256))])
def test_what_is_no_onnx_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.onnx: ") as caught:
        read_onnx(tmp_path / "w.onnx")
    assert "\n" not in str(caught.value)


def test_without_the_package_what_to_install_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(WeightsError, match=r'pip install "vostool\[dinov2\]"'):
        read_onnx(tmp_path / "w.onnx")
