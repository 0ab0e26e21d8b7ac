"""The sheet that a picture is drawn on, its text, and its bytes: the same for the same numbers, on any machine.

Lengths are inches, sizes of letters points. Text is drawn as it is: no name is read as a formula, a character that the
font lacks becomes a box, and a long name is cut in its middle.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import cache
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags

from xner_bench.leaderboard.cells import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER = "#0072b2", "#d55e00", "#009e73", "#b8588c", "#3d9bd1", "#b97f00"
INK, GREY, PALE = "#222222", "#6b6b6b", "#e2e2e2"  # Okabe and Ito's colours, darker where they were pale on white
FONT = "DejaVu Sans"  # comes with matplotlib
MARGIN = 0.2
TITLE, LETTER = 11.0, 8.0  # points; of titles, of captions and labels
LONGEST = 40  # characters of a label
RESOLUTION = 144  # dots per inch of a PNG
_STYLE: Any = {
    "font.family": [FONT],
    "font.size": LETTER,
    "text.parse_math": False,
    "text.hinting": "none",  # so that a text is as wide as `extent` says, at every resolution
    "svg.hashsalt": "xner-bench",
    "svg.fonttype": "path",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
}


class Picture(NamedTuple):
    """A drawn figure, with what is said of it to somebody who cannot see it."""

    name: str  # of its files, without their endings
    figure: Figure
    title: str
    description: str


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in here: nothing of the user's own matplotlib settings matters."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


class Sheet:
    """A page: above what is shown, and of what; a caption below; between them, places are inches from above left."""

    def __init__(self, width: float, height: float, title: str, about: str, caption: Sequence[str]) -> None:
        room = width - 2 * MARGIN
        titles, abouts = _lines([title], room, TITLE, "bold"), _lines([about], room, LETTER)
        below = _lines(caption, room, LETTER)
        self.top = MARGIN + 0.2 * len(titles) + 0.15 * len(abouts) + 0.2
        self.width, self.height = width, self.top + height + 0.15 * len(below) + MARGIN
        self.figure = Figure(figsize=(width, self.height), facecolor="white")
        FigureCanvasAgg(self.figure)
        for at, line in enumerate(titles):
            self.text(MARGIN, MARGIN + 0.2 * (at + 0.5), line, size=TITLE, weight="bold", va="center_baseline")
        for at, line in enumerate(abouts):
            self.text(MARGIN, MARGIN + 0.2 * len(titles) + 0.15 * (at + 0.6), line, color=GREY, va="center_baseline")
        for at, line in enumerate(below):
            self.text(MARGIN, self.top + height + 0.15 * (at + 0.5), line, color=GREY, va="center_baseline")

    def text(self, x: float, y: float, text: str, size: float = LETTER, **kind: Any) -> None:
        """Write at a place, counted from the upper left corner."""
        self.figure.text(x / self.width, 1 - y / self.height, text, size=size, **kind)

    def axes(self, left: float, down: float, width: float, height: float) -> Axes:
        """Axes whose upper left corner is `left` from the page's and `down` below what stands above."""
        bottom = self.height - self.top - down - height
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)


def _lines(texts: Sequence[str], room: float, size: float, weight: str = "normal") -> list[str]:
    """Texts in lines of at most so many inches; every text begins a line of its own."""
    lines: list[str] = []
    for text in texts:
        line = ""
        for word in readable(text).split():
            longer = f"{line} {word}".lstrip()
            if line and extent(longer, size, weight) > room:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def files(picture: Picture) -> dict[str, bytes]:
    """A picture as SVG and as PNG, by file name."""
    svg, png = BytesIO(), BytesIO()
    nothing = dict.fromkeys(("Date", "Creator"))
    picture.figure.savefig(svg, format="svg", metadata={**nothing, "Format": None, "Type": None})
    picture.figure.savefig(png, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return {f"{picture.name}.svg": _described(picture, svg.getvalue()), f"{picture.name}.png": png.getvalue()}


def _described(picture: Picture, svg: bytes) -> bytes:
    """An SVG with its title and its description, for those who hear it."""
    before, mark, after = svg.decode().partition("<svg ")
    first, close, rest = after.partition(">")
    said = f"<title>{escape(plain(picture.title))}</title>\n <desc>{escape(plain(picture.description))}</desc>"
    return f'{before}{mark}role="img" {first}{close}\n {said}{rest}'.encode()


def readable(text: str) -> str:
    """A text as one line that the font can show."""
    glyphs = _glyphs()
    return "".join(letter if ord(letter) in glyphs else "\ufffd" for letter in plain(text))


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def short(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names that fit, cut in their middle; what becomes alike by that, gets a number."""
    cut = [_cut(readable(name), longest) for name in names]
    seen: dict[str, int] = {}
    for at, name in enumerate(cut):
        seen[name] = seen.get(name, 0) + 1
        if cut.count(name) > 1:
            cut[at] = f"{_cut(name, longest - 4)} #{seen[name]}" if seen[name] > 1 else name
    return cut


def _cut(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    head = (longest - 1) * 3 // 5
    return f"{name[:head].rstrip()}…{name[head + 1 - longest :].lstrip()}"


def fitting(name: str, room: float, size: float = LETTER) -> str:
    """A name cut in its middle so that it is at most so many inches wide."""
    longest = len(name)
    while longest > 3 and extent(_cut(name, longest), size) > room:
        longest -= 1
    return _cut(name, longest)


def extent(text: str, size: float = LETTER, weight: str = "normal") -> float:
    """Width of a text, in inches."""
    font = get_font(findfont(FontProperties(family=FONT, weight=weight)))
    font.set_size(size, 72)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return float(font.get_width_height()[0]) / 64 / 72


def widest(texts: Sequence[str], size: float = LETTER) -> float:
    """Width of the widest of some texts, in inches."""
    return max((extent(text, size) for text in texts), default=0.0)
