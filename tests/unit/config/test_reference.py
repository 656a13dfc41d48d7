from pathlib import Path

from bridge.config.model import Config
from bridge.config.reference import reference
from bridge.config.tables import tables_below

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_the_programs_own() -> None:
    """docs/configuration.md is what `python -m bridge.config.reference` prints."""
    assert PAGE.read_text() == reference()


def test_every_key_has_a_heading_and_a_meaning() -> None:
    """No key of any table is without its heading, and none without a description."""
    page = reference()
    tables = list(tables_below(Config))
    assert len(tables) > 8
    for head, table in tables:
        for key, field in table.model_fields.items():
            assert f"\n### {head.strip('[]')}.{key}\n\n{field.description}\n" in page
            assert field.description
