from pathlib import Path

import pytest

from task_table import Record, table


def test_the_page_has_one_row_per_task_in_the_order_of_its_parts() -> None:
    page = list(table({("Out", "b", "works", "x"), ("Own parts", "a", "refused", "no")}))
    assert page.index("| a | refused | no |") < page.index("| b | works | x |")
    assert "2 tasks, of which 1 are refused" in page[2]


def test_a_task_is_recorded_once_its_test_has_passed(
    record: Record, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    record("Out", "a | b", works=f"{tmp_path}/run:\n  done")
    ((_, row),) = request.node.user_properties
    request.node.user_properties.clear()
    assert row == ("Out", "a \\| b", "works", "run: done")
