"""Folders that several tests of loaders share."""

from pathlib import Path

import datasets
import huggingface_hub
import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the libraries an empty cache in `tmp_path`, and no network."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    datasets.disable_progress_bars()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset folder of two splits with classes."""
    path = tmp_path / "name"
    path.mkdir()
    classes = datasets.Features(
        {
            "q": datasets.Value("string"),
            "p": datasets.Value("string"),
            "topic": datasets.ClassLabel(names=["cold", "warm"]),
            "topics": datasets.List(datasets.ClassLabel(names=["red", "green"])),
            "unread": datasets.List(datasets.Value("int64")),
        }
    )
    table = {
        "q": ["a", "b", None],
        "p": ["x", "y", "z"],
        "topic": [1, 0, -1],
        "topics": [[1, 0], [], None],
        "unread": [[1], [2], [3]],
    }
    data = datasets.Dataset.from_dict(table, features=classes)
    data.to_parquet(path / "train.parquet")
    data.select([0]).to_parquet(path / "validation.parquet")
    return path
