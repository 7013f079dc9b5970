"""Figures of a search: frame in, figure out. ``AGES`` and ``VALUES`` are legends of their shades."""

from bench.report.figures.search.coordinates import VALUES, drawn, parallel
from bench.report.figures.search.progress import history, repeated
from bench.report.figures.search.slices import AGES, importance, slice_
from bench.report.figures.search.surface import contour
from bench.report.figures.search.trade import front

__all__ = ["AGES", "VALUES", "contour", "drawn", "front", "history", "importance", "parallel", "repeated", "slice_"]
