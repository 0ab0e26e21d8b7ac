"""Where labels go beside points so that none covers another, a point, or the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Places = NDArray[np.float64]  # (n, 4): as Box, one a row

ANGLES = (0, 8, 4, 12, 2, 14, 6, 10, *range(1, 16, 2))  # sixteenths of a turn: right, left, above, below, then between
STEPS = (1.0, 1.6, 2.4, 3.4, 4.6, 6.0, 7.6, 9.4, 11.4, 13.6)  # distances from the point
ROUNDS = 4
EDGE = 4.0  # how much worse than covering something it is to be cut


class Box(NamedTuple):
    """A rectangle around a middle."""

    x: float
    y: float
    width: float
    height: float


def labels(
    points: Sequence[Box], sizes: Sequence[tuple[float, float]], page: Box, avoided: Sequence[Box] = ()
) -> list[Box]:
    """A place for each point's label, near it; points, sizes, page and what else is avoided in one unit of length.

    Greedy: labels among many points first; each takes the nearest place that covers nothing, or covers least. A few
    rounds let earlier ones move away from later ones.
    """
    order = sorted(range(len(points)), key=lambda at: (-_crowd(points, points[at], sizes[at][0]), at))
    found: dict[int, Box] = {}
    for _ in range(ROUNDS):
        for at in order:
            others = [*avoided, *points, *(box for other, box in found.items() if other != at)]
            places = _places(points[at], sizes[at])
            best = int(_costs(places, points[at], np.array(others), page).argmin())
            found[at] = Box(*map(float, places[best]))
    return [found[at] for at in range(len(points))]


def _crowd(points: Sequence[Box], point: Box, near: float) -> int:
    return sum((point.x - other.x) ** 2 + (point.y - other.y) ** 2 < (2 * near) ** 2 for other in points)


def _places(point: Box, size: tuple[float, float]) -> Places:
    """The places that a label may take, the nearest first."""
    turns = np.array(ANGLES) * np.pi / 8
    reach = 0.62 * point.width * np.repeat(STEPS, len(ANGLES))
    x, y = (
        middle + np.tile(way(turns), len(STEPS)) * (reach + length / 2)
        for middle, way, length in ((point.x, np.cos, size[0]), (point.y, np.sin, size[1]))
    )
    return np.stack([x, y, *(np.full(len(x), length) for length in size)], axis=1)


def _costs(places: Places, point: Box, others: Places, page: Box) -> NDArray[np.float64]:
    """What each place covers, in areas of the label; of two that cover nothing the nearer one is better."""
    apart = np.abs(places[:, None, :2] - others[None, :, :2])
    shared = np.maximum((places[:, None, 2:] + others[None, :, 2:]) / 2 - apart, 0).prod(axis=2).sum(axis=1)
    covered = shared / (places[:, 2] * places[:, 3])
    beyond = (np.abs(places[:, :2] - page[:2]) + places[:, 2:] / 2 > np.array(page[2:]) / 2).any(axis=1)
    away = np.hypot(places[:, 0] - point.x, places[:, 1] - point.y) / point.width
    costs: NDArray[np.float64] = covered + EDGE * beyond + away / 200
    return np.round(costs, 9)  # equal ones stay equal on every machine
