import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.seeds import compact, read_seeds, write_seeds
from bench.errors import RequestError
from bench.model.initialization import MAX_SEED

FAR_APART = st.sets(st.integers(0, MAX_SEED), min_size=1)
CLOSE = st.sets(st.integers(0, 40), min_size=1)


@given(FAR_APART | CLOSE)
def test_seeds_that_were_written_are_read_back_as_they_were(seeds):
    """Writing seeds and reading the text gives the same seeds in order."""
    assert list(read_seeds(write_seeds(sorted(seeds)))) == sorted(seeds)


@given(FAR_APART | CLOSE)
def test_a_toml_list_of_seeds_is_read_as_it_is(seeds):
    """A list of whole numbers, in any order, is those seeds in order."""
    assert list(read_seeds(list(seeds))) == sorted(seeds)


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        ("0:200", list(range(200))),
        ("7", [7]),
        (7, [7]),
        (0, [0]),
        ("0,3,5", [0, 3, 5]),
        ([0, 3, 5], [0, 3, 5]),
        ([7], [7]),
        (["0:3", 7], [0, 1, 2, 7]),
        ("0:3,10:12,5", [0, 1, 2, 5, 10, 11]),
        (" 0 , 3 ", [0, 3]),
        (str(MAX_SEED), [MAX_SEED]),
        (f"{MAX_SEED}:{MAX_SEED + 1}", [MAX_SEED]),
    ],
)
def test_every_way_of_writing_seeds_is_read(given, seeds):
    """A range excludes its end, commas and lists add up, and the largest seed is 2**32 - 1."""
    assert list(read_seeds(given)) == seeds


@pytest.mark.parametrize("given", ["5,3,0", "0,0,3,5,5", "0,3,3:4,5", ["5", "3", "0"]])
def test_seeds_come_in_order_and_once_each(given):
    """However they are written, seeds are sorted and distinct."""
    assert list(read_seeds(given)) == [0, 3, 5]


@pytest.mark.parametrize("given", ["0:4", "0,1,2,3", "3,2,1,0", "0:2,2:4", "0:3,1:4"])
def test_seeds_that_follow_each_other_are_a_range(given):
    """Plans of consecutive seeds are equal, whichever way the seeds were written."""
    assert read_seeds(given) == range(4)


def test_a_long_range_is_kept_as_one():
    """A million seeds take no more memory than two."""
    assert type(read_seeds("0:1000000")) is range


@pytest.mark.parametrize("given", ["5:5", "7:3", "0:2,4:4", [3, "1:1"]])
def test_a_range_without_a_seed_is_refused(given):
    """A range that holds nothing is a mistake, and the message recalls that the end is excluded."""
    with pytest.raises(RequestError, match=r"holds no seed \(the end is excluded\)"):
        read_seeds(given)


def test_an_empty_list_of_seeds_is_refused():
    """A grid without seeds would train nothing and say nothing."""
    with pytest.raises(RequestError, match=r"seeds is \[\], which holds no seed"):
        read_seeds([])


def test_a_number_of_thousands_of_digits_is_refused():
    """Python itself refuses to read it; the message is still ours."""
    with pytest.raises(RequestError, match="allowed are 0:200, 7 or 0,3,5"):
        read_seeds("9" * 5000)


@pytest.mark.parametrize("given", [2**32, str(2**32), f"{2**32 - 1}:{2**32 + 1}", f"0,{2**32}", [2**40]])
def test_a_seed_over_the_largest_is_refused(given):
    """Seeds beyond 32 bits are refused, and the message says which is the largest."""
    with pytest.raises(RequestError, match="seeds from 0 to 4294967295"):
        read_seeds(given)


@pytest.mark.parametrize("given", [-1, "-1", "-3:2", [0, -1], "1.5", 1.5, 7.0, True, [True], None, [[1]], {}])
def test_what_is_no_whole_number_from_0_is_refused(given):
    """Negative numbers, fractions and other things of a TOML file are no seeds."""
    with pytest.raises(RequestError, match="allowed are 0:200, 7 or 0,3,5") as caught:
        read_seeds(given)
    assert str(caught.value).startswith(f"seeds is {given!r}")


@pytest.mark.parametrize("given", ["", ",", "1,", "0:", ":5", "1:2:3", "abc", "0x3", "1_000", "²", "٣"])
def test_other_text_is_refused(given):
    """Words, half ranges and digits of other scripts are no seeds."""
    with pytest.raises(RequestError, match="allowed are 0:200, 7 or 0,3,5") as caught:
        read_seeds(given)
    assert str(caught.value).startswith(f"seeds is {given!r}")


@given(st.text("0123456789,:- ex", max_size=6))
def test_a_text_is_read_or_refused(text):
    """No text, however odd, raises anything but the error that users are shown."""
    try:
        seeds = list(read_seeds(text))
    except RequestError:
        return
    assert seeds
    assert seeds == sorted(set(seeds))


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (range(200), "0:200"),
        ([7], "7"),
        ([0, 3, 5], "0,3,5"),
        ([0, 1, 2, 7], "0:3,7"),
        ([1, 5, 6, 7, 8, 20], "1,5:9,20"),
        ([], ""),
    ],
)
def test_seeds_are_written_as_users_write_them(seeds, text):
    """Runs of seeds are written as ranges, single ones as numbers."""
    assert write_seeds(seeds) == text


def test_seeds_with_gaps_are_no_range():
    """Only seeds that follow each other are taken for a range."""
    assert compact(range(0, 10, 2)) == (0, 2, 4, 6, 8)
