import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.model.maps import pair_points
from bench.stats.attractors import SHARE
from bench.stats.basins import FATE, basin_entropy, basin_figures, basin_shares
from bench.stats.boundary_dimension import (
    BOXES,
    DISTANCE,
    FITTED,
    MIXED,
    PAIRS,
    SIDE,
    USED,
    Border,
    Dimension,
    border,
    box_counts,
    pixel_dimension,
    uncertainty,
    uncertainty_dimension,
)
from bench.stats.proportions import COUNT, HIGH, LOW, RATE, exact_interval
from tests.stats.known_boundaries import CANTOR, DISTANCES, NEWTON, RADIUS, cantor, disc, newton, picture, trained

WINDOW = {"corner": (-1.0, -1.0), "side": 2.0}
MAPS = arrays(np.int64, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(-1, 2))
SMOOTH, ABOVE = Dimension(1.0, 0.95, 1.05, 1, 0.1), Dimension(1.6, 1.5, 1.7, 1, 0.1)
WIDE = Dimension(1.2, 0.8, 1.6, 1, 0.1)


def held(dimension, truth):
    """Return whether an interval holds the truth and says something."""
    return dimension.low <= truth <= dimension.high and dimension.high - dimension.low < 0.35


def figures(fate, size, bases, **window):
    """Return the figures of a map that is known in closed form."""
    return basin_figures(picture(fate, size, **window), *trained(fate, bases, 1, **window))


@pytest.fixture(scope="module")
def newtons_map():
    """Newton's map of [-1, 1]² with 300 × 300 pixels, as Attractors.jl tests it, and 1,500 base points."""
    return figures(newton, 300, 1_500, **WINDOW)


# ------------------------------------------------------------------ pairs


@pytest.mark.untraced
def test_partners_lie_in_the_window_at_their_distance_down_to_half_a_billionth():
    """Sums of float64 near 1 leave 1e-7 of 2⁻²⁹."""
    bases_N2, partners_KN2 = pair_points(np.random.default_rng(0), 2_000, DISTANCES)
    assert ((partners_KN2 >= 0) & (partners_KN2 <= 1)).all()
    found_KN = np.linalg.norm(partners_KN2 - bases_N2, axis=-1)
    assert found_KN == pytest.approx(np.broadcast_to(np.array(DISTANCES)[:, None], found_KN.shape), rel=1.1e-7)
    again = pair_points(np.random.default_rng(0), 2_000, DISTANCES)
    assert (again[1] == partners_KN2).all()


@pytest.mark.parametrize("distance", [0.0, -0.1, 0.6, np.nan])
def test_a_distance_that_no_pair_can_have_is_refused(distance):
    """Beyond half a side neither of two opposite partners may be inside."""
    with pytest.raises(ValueError, match="choose them above 0 and up to ½"):
        pair_points(np.random.default_rng(0), 3, [0.25, distance])


# ------------------------------------------------------------------ shares


def test_a_discs_share_is_its_area():
    """π r², of the pixels to a thousandth and of base points within the exact interval of two fates at once."""
    fates, (bases, _, _) = picture(disc, 400), trained(disc, 3_000, 2)
    outside, inside = basin_shares(fates, bases).to_dict("records")
    area = np.pi * RADIUS**2
    assert (outside[FATE], inside[FATE]) == (0, 1)
    assert inside[SHARE] == pytest.approx(area, abs=1e-3)
    assert inside[LOW] < area < inside[HIGH]
    assert (inside[LOW], inside[HIGH]) == exact_interval(inside[COUNT], 3_000, 1 - 0.025 / 2)
    assert outside[RATE] + inside[RATE] == 1


def test_a_fate_that_only_the_picture_has_seen_has_an_interval_from_zero():
    """None of 200 base points."""
    fates = np.zeros((10, 10), int)
    fates[0, 0] = 5
    rare = basin_shares(fates, np.zeros(200, int)).set_index(FATE).loc[5]
    assert (rare[SHARE], rare[COUNT], rare[LOW]) == (0.01, 0, 0)
    assert 0 < rare[HIGH] < 0.03


# ------------------------------------------------------------------ entropy


def test_basin_entropy_is_the_mean_over_boxes_of_their_shares_entropy():
    """By hand, from S = Σ -p log p of the four boxes (Daza et al. 2016, equations 1 to 4)."""
    fates = np.array([[0, 0, 0, 1], [0, 1, 2, 2], [7, 7, 3, 4], [7, 7, 5, 6]])
    of_boxes = [-0.25 * np.log(0.25) - 0.75 * np.log(0.75), 1.5 * np.log(2), 0.0, 2 * np.log(2)]
    found = basin_entropy(fates, 2)
    assert (found.boxes, found.mixed_boxes) == (4, 3)
    assert found.entropy == pytest.approx(np.mean(of_boxes))
    assert found.boundary_entropy == pytest.approx(sum(of_boxes) / 3)
    assert found.standard_error == pytest.approx(np.std([of_boxes[at] for at in (0, 1, 3)], ddof=1) / np.sqrt(3))


@pytest.mark.untraced
def test_grebogis_map_has_the_basin_entropy_that_is_documented():
    """Boxes of 6 in 300 × 300 pixels: Attractors.jl tests for 0.40 to 0.42, and 0.60 to 0.61 along the border."""
    theta, x = np.meshgrid(np.linspace(0, 2 * np.pi, 300), np.linspace(-0.5, 0.5, 300))
    for _ in range(100):
        turned = theta + 1.32 * np.sin(2 * theta) - 0.9 * np.sin(4 * theta) - x * np.sin(theta)
        theta, x = turned, -0.3 * np.cos(theta)
    found = basin_entropy((np.cos(theta) > 0).astype(int), 6)
    assert 0.40 <= found.entropy <= 0.42
    assert 0.60 <= found.boundary_entropy <= 0.61
    assert not found.is_beyond_log_2  # of two fates it never is


def test_a_smooth_borders_entropy_is_that_of_a_straight_line():
    """0.4395 in small discs of a plane (Puy, Daza, Wagemakers & Sanjuán 2021), to the bias of boxes of 10 pixels."""
    found = basin_entropy(picture(disc, 1_000), 10)
    assert found.boundary_entropy == pytest.approx(0.4395, abs=3 * found.standard_error + 0.224 / 10)
    assert not found.is_beyond_log_2


def test_newtons_boundary_entropy_proves_that_its_border_is_fractal(newtons_map):
    """Beyond log 2, since many boxes along it have three fates; 300 pixels are too few to be sure of that."""
    assert newtons_map.entropy.boundary_entropy > np.log(2)
    assert basin_entropy(picture(newton, 400, **WINDOW)).is_beyond_log_2


# ------------------------------------------------------------------ dimension


def test_a_discs_border_is_smooth():
    """Dimension 1, by all scales, the fine ones, and pixels."""
    found = figures(disc, 200, 2_000)
    assert held(found.pairs.whole, 1)
    assert held(found.pairs.fine, 1)
    assert held(found.pixels, 1)
    assert found.boxes.dimension == pytest.approx(1, abs=0.07)
    assert found.border is Border.SMOOTH


def test_cantors_border_is_fractal():
    """Dimension 1 + log 2 / log 3."""
    found = figures(cantor, 256, 2_000)
    assert held(found.pairs.whole, CANTOR)
    assert held(found.pairs.fine, CANTOR)
    assert held(found.pixels, CANTOR)
    assert found.border is Border.FRACTAL


def test_newtons_border_is_fractal(newtons_map):
    """Dimension 1.4445 by Bowen's formula; a box count of 1.42 is what is published (Attractors.jl's tests)."""
    assert held(newtons_map.pairs.whole, NEWTON)
    assert held(newtons_map.pixels, NEWTON)
    assert newtons_map.boxes.dimension == pytest.approx(1.42, abs=0.05)
    assert newtons_map.border is Border.FRACTAL


def test_a_cantor_set_of_six_generations_is_folded():
    """From 1/729 on its border is straight lines."""
    found = figures(lambda places: cantor(places, 6), 243, 12_000)
    assert found.pixels.is_above_one
    assert held(found.pairs.fine, 1)
    assert found.border is Border.FOLDED


def test_the_sensitivity_to_a_move_of_one_percent_is_that_of_the_border():
    """Of a disc 4 r ε, whose interval is exact; and the fitted line passes there."""
    bases, partners, distances = trained(disc, 4_000, 3)
    (row,) = uncertainty_dimension(bases, partners, distances).table.query(f"{DISTANCE} == 0.01").to_dict("records")
    assert row[PAIRS] == 4_000
    assert (row[LOW], row[HIGH]) == exact_interval(row[MIXED], 4_000)
    assert row[LOW] < 4 * RADIUS * 0.01 < row[HIGH]
    assert row[FITTED] == pytest.approx(4 * RADIUS * 0.01, rel=0.25)


def test_distances_in_any_order_give_the_same():
    """Rows are from the largest to the smallest."""
    bases, partners, distances = trained(newton, 300, 4, **WINDOW)
    order = np.random.default_rng(0).permutation(len(distances))
    found = uncertainty(bases, partners[order], np.array(distances)[order])
    assert found.equals(uncertainty(bases, partners, distances))
    assert found[DISTANCE].is_monotonic_decreasing
    with pytest.raises(ValueError, match="is needed"):
        uncertainty(bases, partners[1:], distances)


def test_saturated_distances_are_left_out_of_the_fit():
    """Fates that have nothing to do with each other at all distances but the finest half."""
    rng = np.random.default_rng(5)
    bases, far = rng.integers(0, 2, 1_000), rng.integers(0, 2, (14, 1_000))
    near = np.where(rng.random((14, 1_000)) < 2.0 ** -np.arange(3, 17)[:, None], 1 - bases, bases)
    found = uncertainty_dimension(bases, np.concatenate([far, near]), 2.0 ** -np.arange(2, 30))
    assert found.table[USED].tolist() == [False] * 14 + [True] * 14
    assert found.whole.low < 1 < found.whole.high
    assert (found.whole.coarsest, found.whole.finest) == (2.0**-16, 2.0**-29)


def test_fates_without_any_order_fill_the_plane():
    """Noise has dimension 2, however near two starts are."""
    rng = np.random.default_rng(6)
    found = basin_figures(
        rng.integers(0, 3, (60, 60)), rng.integers(0, 3, 800), rng.integers(0, 3, (28, 800)), DISTANCES[:28]
    )
    assert found.pairs.whole.low > 1.97
    assert found.pixels.low > 1.9
    assert found.border is Border.FRACTAL


# ------------------------------------------------------------------ box counts


def test_a_straight_line_takes_as_many_boxes_as_fit_along_it():
    """Of 64 cells, 64, 32, 64/3 and 16: mean over grids, and a few more where a box may end on either side."""
    fates = np.zeros((65, 65), int)
    fates[:, 32:] = 1
    found = box_counts(fates)
    assert found.table[SIDE].tolist() == [1, 2, 3, 4]
    assert found.table[BOXES].tolist() == pytest.approx([64 / side * 64 / (65 - side) for side in (1, 2, 3, 4)])
    assert found.dimension == pytest.approx(1, abs=0.05)
    used = found.table[found.table[USED]]
    assert used[FITTED].to_numpy() == pytest.approx(used[BOXES].to_numpy(), rel=0.02)


def test_a_chessboard_fills_the_plane_and_has_no_line_through_its_pairs():
    """No two fields of a chessboard that are an even distance apart differ."""
    fates = np.indices((40, 40)).sum(axis=0) % 2
    assert box_counts(fates).dimension == pytest.approx(2)
    assert pixel_dimension(fates) is None


# ------------------------------------------------------------------ verdict


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [
        ([SMOOTH, SMOOTH], Border.SMOOTH),
        ([SMOOTH], Border.SMOOTH),
        ([ABOVE, ABOVE, SMOOTH], Border.FOLDED),
        ([WIDE, ABOVE, None, SMOOTH], Border.FOLDED),
        ([ABOVE, ABOVE], Border.FRACTAL),
        ([ABOVE], Border.OPEN),  # nothing finer was looked at
        ([SMOOTH, WIDE], Border.OPEN),
        ([WIDE, SMOOTH], Border.OPEN),
        ([None], Border.OPEN),
        ([], Border.OPEN),
    ],
)
def test_a_border_is_what_its_finest_scale_says(dimensions, expected):
    """Coarser scales only tell folded from smooth."""
    assert border(dimensions) is expected


def test_a_map_that_zooms_in_tells_folded_from_fractal():
    """Four views of Cantor's set, each nine times nearer, and of what is left of it after five generations."""
    for generations, expected in ((30, Border.FRACTAL), (5, Border.FOLDED)):
        views = [
            pixel_dimension(
                picture(
                    lambda p, g=generations: cantor(p, g), 300, corner=(1 / 243 - 0.3 / 9**zoom, 0.0), side=9.0**-zoom
                )
            )
            for zoom in range(4)
        ]
        assert border(views) is expected


# ------------------------------------------------------------------ what cannot be known


def test_a_window_of_one_fate_has_no_border():
    """Neither entropy nor dimension."""
    found = basin_figures(np.ones((50, 50), int), np.ones(20, int), np.ones((28, 20), int), DISTANCES[:28])
    assert found.border is Border.NONE
    assert (found.pixels, found.boxes.dimension, found.pairs.whole, found.entropy.boundary_entropy) == (None,) * 4
    assert found.entropy.entropy == 0
    assert found.shares[SHARE].tolist() == [1.0]


def test_a_tiny_map_or_one_without_pairs_is_open_or_smooth():
    """Of 8 × 8 pixels nothing can be told; of 256 × 256 whether it is smooth."""
    tiny = basin_figures(picture(disc, 8))
    assert tiny.border is Border.OPEN
    assert tiny.pixels.high - tiny.pixels.low > 1
    assert basin_figures(picture(disc, 256)).border is Border.SMOOTH
    assert basin_figures(picture(cantor, 243)).border is Border.OPEN
    assert basin_figures(picture(disc, 256)).shares[RATE].isna().all()


@given(MAPS, st.integers(0, 2**32 - 1))
def test_figures_are_the_same_by_any_name_and_from_either_side(fates, seed):
    """Fates are names, and a transposed map is the same map."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(50)[:4] - 7
    bases, partners = rng.integers(-1, 2, 30), rng.integers(-1, 2, (4, 30))
    distances = [0.25, 0.1, 0.05, 0.01]
    one = basin_figures(fates, bases, partners, distances)
    for other in (
        basin_figures(names[fates + 1], names[bases + 1], names[partners + 1], distances),
        basin_figures(fates.T, bases, partners, distances),
    ):
        assert other.border is one.border
        assert other.pairs.whole == one.pairs.whole
        assert sorted(other.shares[SHARE]) == sorted(one.shares[SHARE])
        for found, expected in zip(_numbers(other), _numbers(one), strict=True):
            assert found == pytest.approx(expected, abs=1e-9)


def _numbers(found):
    parts = [found.pixels and (found.pixels.value, found.pixels.low, found.pixels.high), found.boxes.dimension]
    entropy = found.entropy
    parts += [entropy.entropy, entropy.boundary_entropy, entropy.standard_error, entropy.mixed_boxes]
    return [*parts, found.boxes.table[BOXES].tolist()]
