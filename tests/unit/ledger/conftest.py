import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.ledger.file import open_for_writing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(path)
    yield connection
    connection.close()
