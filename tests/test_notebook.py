"""The notebook under ``examples/`` runs from its first cell to its last."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    here = tmp_path / "examples"
    here.mkdir()
    for name in ("session.ipynb", "bikes.json"):
        shutil.copy(EXAMPLES / name, here / name)
    notebook = nbformat.read(here / "session.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(here)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output["data"] for output in outputs if "data" in output]
    assert "(1, 2), (272, 640)" in shown[0]["text/plain"].replace("\n", "")
    assert shown[1]["text/plain"] == "55"
    assert "image/png" in shown[2]
    assert len(list((tmp_path / "out" / "notebook-masks").glob("*.png"))) == 55
