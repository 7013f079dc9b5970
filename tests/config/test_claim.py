import pytest

from bench.config.claims import CLAIM, Bound, Comparison, Equivalence, FigureClaim, Printed, Rate, Variety
from bench.config.plan import Plan, make_plan
from bench.errors import RequestError

WORDS = {"id": "a", "source": "s", "what": "w", "where": {}}
RATE = "event = { solved = true }\n"
PRINTED = 'seed = 0\nof = "predictions"\n'
COMPARISON = 'than = {}\nmeasure = "final_mse"\n'
EQUIVALENCE = "than = {}\n" + RATE


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"seed": 0, "of": "predictions", "printed": ["0.5"]}, Printed),
        ({"seed": 0, "of": "final_mse", "below": 0.1}, Bound),
        ({"event": {"solved": True}, "above": 0.5}, Rate),
        ({"than": {}, "measure": "final_mse", "is": "above"}, Comparison),
        ({"than": {}, "event": {"solved": True}, "within": 0.05}, Equivalence),
        ({"varies": "outcome"}, Variety),
        ({"published": {"k": 1, "of": 2}}, FigureClaim),
        ({"published": {"k": 1, "of": 2}, "event": {"solved": True}}, FigureClaim),
        ({"published": "some learn it", "event": {"solved": True}, "above": 0.5}, Rate),
    ],
)
def test_a_claim_is_of_the_kind_that_its_keys_say(body, kind):
    """Nobody has to name the kind of a claim."""
    assert type(CLAIM.validate_python(WORDS | body)) is kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('seed = 0\nof = "final_mse"', "got the bounds none; allowed is exactly one of above, below"),
        ('seed = 0\nof = "final_mse"\nabove = 1\nbelow = 2', "got the bounds above, below; allowed is exactly one"),
        (RATE, "got the bounds none; allowed is exactly one of above, below, between, never, always"),
        (RATE + "never = true\nbelow = 0.5", "got the bounds below, never; allowed is exactly one"),
        (RATE + "never = false", "never is False: input should be True"),
        (RATE + "above = 2", "above is 2: input should be less than 1"),
        (RATE + "below = 0", "below is 0: input should be greater than 0"),
        (
            RATE + "between = [0.6, 0.4]",
            "claim 2: between: got [0.6, 0.4]; allowed is [low, high] with 0 <= low < high",
        ),
        (RATE + "between = [0.5, 0.5]", "between: got [0.5, 0.5]; allowed is"),
        (RATE + "between = [-0.1, 1]", "between: got [-0.1, 1]; allowed is"),
        (RATE + "between = [0, 1.5]", "between: got [0, 1.5]; allowed is"),
        (RATE + "between = [0.5]", "between: got [0.5]; allowed is"),
        (RATE + "between = 0.5", "between: got 0.5; allowed is"),
        (RATE + "between = ['a', 'b']", "between: got ['a', 'b']; allowed is"),
        (RATE + "between = [0, nan]", "between: got [0, nan]; allowed is"),
        (RATE + "between = [0.2, 0.3]\nabove = 0.1", "got the bounds above, between; allowed is exactly one of"),
        ("event = { halfway_at = 5 }\nnever = true", "halfway_at is 5; allowed are { above = NUMBER } and { below ="),
        (
            "event = { final_mse = { over = 5 } }\nnever = true",
            "final_mse is {'over': 5}; allowed are { above = NUMBER",
        ),
        ("event = {}\nnever = true", "at least 1 item"),
        ("event = { outcom = 'solved' }\nnever = true", "is 'outcom': input should be 'outcome', 'solved'"),
        (PRINTED + 'at = [0, 1]\nprinted = ["0.5"]', "'at' has 2 entries and 'printed' 1; allowed is one each"),
        ('seed = 0\nof = "loss"\nprinted = ["0.5"]', "'at' is missing; allowed for of = 'loss' is one entry for each"),
        ('seed = 0\nof = "final_loss"\nprinted = ["1", "2"]', "'at' is missing; allowed for of = 'final_loss'"),
        (PRINTED + "printed = []", "at least 1 item"),
        ('seed = 0\nof = "sums"\nprinted = ["0.5"]', "of is 'sums': input should be 'loss', 'predictions'"),
        ('seed = -1\nof = "final_mse"\nbelow = 1', "seed is -1: input should be greater than or equal to 0"),
        ('of = "final_mse"\nbelow = 1', "seed is missing"),
        (COMPARISON, "is is missing"),
        (COMPARISON + 'is = "over"', "is is 'over': input should be 'above' or 'below'"),
        (EQUIVALENCE + "within = 0", "within is 0: input should be greater than 0"),
        (EQUIVALENCE + "within = 1", "within is 1: input should be less than 1"),
        (RATE + "within = 0.05", "than is missing"),
        ("than = {}\nwithin = 0.05", "event is missing"),
        (
            EQUIVALENCE + "within = 0.05\nabove = 0.5",
            "key 'above' is not known; choose from event, id, published, recalled, source",
        ),
        ('varies = "colour"', "varies is 'colour': input should be 'wrong_observation', 'outcome' or 'pattern'"),
        ("published = { k = 3, of = 2 }", "got 3 of 2; allowed are at most all of them"),
        ("published = { low = 2.0, high = 1.0 }", "got low = 2 and high = 1; allowed is low up to high"),
        ("published = { k = 3 }", "got k; allowed are k, of; estimate;"),
        ("published = {}", "got nothing; allowed are k, of; estimate;"),
        ("published = { estimate = 1.5 }\nfigure = 'dimension'", "map is None with figure = 'dimension'; allowed is"),
        ("published = { estimate = 0.5 }\nseed = 3", "seed is 3 with figure = 'share'; allowed is a number with"),
        (
            "published = { words = 'so', shape = 'rises' }",
            "shape is 'rises' and along is missing; allowed is that with a parameter",
        ),
        (
            "published = { words = 'so', shape = 'beyond chance' }",
            "shape is 'beyond chance' with figure = 'share'; allowed is",
        ),
        ("published = { estimate = 0.5 }\nalong = 'momentum'", "along is 'momentum' with figure = 'share'; allowed"),
        (
            "published = { words = 'so', below = 1.0 }\nfigure = 'better'\nseed = 1\nthan = {}",
            "than is given with figure =",
        ),
        ("published = { estimate = 0.5 }\nfigur = 'ert'", "key 'figur' is not known; did you mean 'figure'"),
        (RATE + "never = true\nseed = 3", "key 'seed' is not known; choose from above, always, below, between"),
    ],
)
def test_a_mistake_in_a_claim_is_told_in_words(read, claim, body, words):
    """Each says which claim of the file, what was got, and what is allowed."""
    with pytest.raises(RequestError) as caught:
        read("[[grid]]\n" + claim("fine") + claim(body=body))
    (problem,) = caught.value.problems
    assert problem.startswith("question.toml: claim 2: ")
    assert words in problem


@pytest.mark.parametrize("text", ["abc", "", "1,000", "1e5", ".5", "0.5 ", "inf", "nan", "0x1p3"])
def test_a_printed_number_is_a_decimal(text):
    """A number that could never be printed so is refused before anything is trained."""
    with pytest.raises(ValueError, match="allowed are decimals"):
        CLAIM.validate_python(WORDS | {"seed": 0, "of": "predictions", "printed": [text]})


def test_all_mistakes_in_claims_are_reported_at_once(read, claim):
    """Two claims with two mistakes are four sentences."""
    body = 'seed = -1\nof = "sums"\nbelow = 1'
    with pytest.raises(RequestError) as caught:
        read("[[grid]]\n" + claim("a", body=body) + claim("b", body=body))
    assert len(caught.value.problems) == 4


def test_a_claim_says_what_it_says_for_ever():
    """A claim cannot be changed once it is read."""
    claim = CLAIM.validate_python(WORDS | {"varies": "outcome"})
    with pytest.raises(ValueError, match="frozen"):
        claim.what = "something else"


@pytest.mark.parametrize("value", ["3", '"text"', "[1]"])
def test_a_claim_that_is_no_table_is_refused(read, value):
    """Whatever stands where a claim should is told in words."""
    with pytest.raises(RequestError, match=r"question\.toml: claim 1"):
        read(f"claim = [{value}]\n[[grid]]\n")


def test_a_key_that_a_claim_does_not_have_gets_the_nearest_that_it_has(read, claim):
    """A near miss in a claim is answered as one in the grid is."""
    with pytest.raises(RequestError, match="key 'belw' is not known; did you mean 'below'"):
        read("[[grid]]\n" + claim(body='seed = 0\nof = "final_mse"\nbelw = 1'))


@pytest.mark.parametrize("body", [{"format": "zz"}, {"at": [-1]}])
def test_a_printed_number_that_can_never_be_checked_is_refused(body):
    """A format that Python does not know and a place before the first are mistakes of the file."""
    with pytest.raises(ValueError, match="1 validation error"):
        CLAIM.validate_python(WORDS | {"seed": 0, "of": "predictions", "printed": ["0.5"]} | body)


@pytest.mark.parametrize("event", [{"outcome": "sloved"}, {"solved": "yes"}, {"wrong": "one"}])
def test_an_event_that_can_never_happen_is_refused(event):
    """A misspelt outcome would make a claim of never true for ever."""
    with pytest.raises(ValueError, match="1 validation error"):
        CLAIM.validate_python(WORDS | {"event": event, "never": True})


def test_a_claim_is_made_of_other_backends_too():
    """Each has a row of its own, selects its own trial, and is held to the digits that its precision carries."""
    claim = CLAIM.validate_python(
        WORDS | {"where": {"backend": "torch"}, "seed": 0, "of": "predictions", "printed": ["0.5"], "also": ["numba"]}
    )
    own, other = claim.variants()
    assert own is claim
    assert (other.id, other.what, other.where) == ("a-numba", "w; with numba", {"backend": "numba"})
    assert (own.carried, other.carried) == (False, True)
    assert CLAIM.validate_python(other.model_dump(by_alias=True)) == other


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"estimate": 1.4}, "estimate is 1.4"),
        ({"low": -0.1, "high": 0.5}, "low is -0.1"),
        ({"words": "so", "above": 2.0}, "above is 2"),
    ],
)
def test_a_published_share_beyond_0_and_1_is_refused(form, said):
    """A ratio of two shares may be anything; a share is a part."""
    figure = WORDS | {"published": form}
    with pytest.raises(ValueError, match=f"published: {said}; allowed are shares from 0 to 1"):
        CLAIM.validate_python(figure)
    CLAIM.validate_python(figure | {"than": {"hidden": 2}})
    CLAIM.validate_python(figure | {"figure": "ert"})


GRID = '[[grid]]\ngate = ["parity2", "parity3"]\nlearning_rate = [0.5, 1.0]\n'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("figure = 'ert'\npublished = { estimate = 3.0 }", "claim 'a' selects 4 trials; allowed for ert is one"),
        (
            "along = 'colour'\npublished = { words = 'so', shape = 'rises' }",
            "claim 'a': along: parameter 'colour' is not known",
        ),
        (
            "along = 'loss'\npublished = { words = 'so', shape = 'rises' }",
            "goes along loss; allowed are two numbers of it and more",
        ),
        (
            "along = 'momentum'\npublished = { words = 'so', shape = 'rises' }",
            "goes along momentum; allowed are two numbers",
        ),
        (
            "figure = 'ert'\nalong = 'inputs'\npublished = { estimate = 4.0 }",
            "goes along inputs; allowed are two numbers of it and more, one trial for each",
        ),
        ("figure = 'dimension'\nmap = 1\npublished = { low = 1.0, high = 2.0 }", "is about map 1; allowed are those"),
    ],
)
def test_a_figure_that_the_grid_has_not_is_refused(read, claim, body, words):
    """What it is of, or along, must be there."""
    with pytest.raises(RequestError) as caught:
        make_plan(read(GRID + claim("a", body=body)))
    assert words in caught.value.problems[0]


def test_a_plan_that_was_kept_knows_what_its_claims_go_along(read, claim):
    """Read back it is the same, whichever value each of the trials has."""
    plan = make_plan(read(GRID + claim("a", body="along = 'inputs'\npublished = { words = 'so', shape = 'rises' }")))
    assert plan.claims[0].along == (2.0, 2.0, 3.0, 3.0)
    assert Plan.from_json(plan.to_json()).claims == plan.claims
