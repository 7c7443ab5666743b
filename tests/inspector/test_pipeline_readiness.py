import pytest

from inspector.pipeline.readiness import REQUIRED, Check, Precondition, missing

ALL = tuple(Check(name, True, f"{name} is well.") for name in REQUIRED)


def test_nothing_is_missing_once_each_has_passed() -> None:
    assert missing(ALL) == ()


@pytest.mark.parametrize("name", REQUIRED)
def test_what_nobody_looked_at_is_missing(name: Precondition) -> None:
    (lacking,) = missing(check for check in ALL if check.name is not name)

    assert lacking == Check(name, False, f"The {name} was not checked yet.")


def test_at_first_everything_is_missing_in_order() -> None:
    assert [check.name for check in missing(())] == list(REQUIRED)


def test_what_failed_is_listed_with_its_own_sentence_in_the_usual_order() -> None:
    disk = Check(Precondition.DISK, False, "The disk is full.")
    camera = Check(Precondition.CAMERA, False, "No camera at sim:.")

    assert missing([disk, *ALL[1:4], ALL[5], camera]) == (camera, disk)


def test_an_extra_check_counts_where_a_station_has_it() -> None:
    overdue = Check(Precondition.GOLDEN_CHECK, False, "The golden check is overdue.")

    assert missing([*ALL, overdue]) == (overdue,)


def test_of_two_of_one_name_each_has_to_pass() -> None:
    second = Check(Precondition.CAMERA, False, "The second camera is dark.")

    assert missing([*ALL, second]) == (second,)
