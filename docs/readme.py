"""Makes the table and the pictures of README.md, docs/first-results.md and docs/pictures.md from docs/first-results.

    python docs/readme.py             writes them
    python docs/readme.py --check     exit status 1 where they are not current

`docs/first-results` is a results folder like any other: the records and scores of the runs that first-results.md tells
of, without predictions. The numbers are those of `xner-bench leaderboard build --plots --results docs/first-results`.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from xner_bench import catalogue
from xner_bench.leaderboard import board, legend, pictures
from xner_bench.leaderboard.cells import NONE, mean_text, signed
from xner_bench.leaderboard.evidence_types import DRAWS
from xner_bench.leaderboard.markdown import escape
from xner_bench.leaderboard.pictures import canvas, chosen
from xner_bench.results import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.leaderboard.pictures.chosen import Difference, Pair, View

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "docs" / "first-results"
README, CONSTRAINTS = ROOT / "README.md", ROOT / "constraints.txt"
PROFILE = "word-strict"
SHOWN = "docs/first-results/plots/slicer-en-word-strict-gain.svg"
BEGIN = "<!-- made by `python docs/readme.py`: begin -->"
END = "<!-- made by `python docs/readme.py`: end -->"


def section() -> tuple[Section, Catalogue]:
    """The section of the first results, with evidence as far as sentence counts are stored."""
    known = catalogue.load()
    (only,) = board.build(Store(RUNS), known, draws=DRAWS)
    return only, known


def block(made: Section, known: Catalogue) -> str:
    """What stands between the marks in README.md."""
    seen = chosen.view(made, PROFILE)
    (pair,) = chosen.pairs(seen)
    alt = f"Gain of {pair.line.label} over {pair.baseline.label} on each language, by language family"
    return "\n\n".join([BEGIN, _table(seen, pair, known), _legend(seen, pair), f"![{alt}]({SHOWN})", END])


def _table(seen: View, pair: Pair, known: Catalogue) -> str:
    """The source, then the groups of targets: both entries, and the difference."""
    names = pair.baseline.label, pair.line.label
    header = [f"{seen.metric}, {seen.role}", *names, f"{pair.line.label} less {pair.baseline.label}"]
    rows = [header, ["---", *["---:"] * 3], *_rows(seen, pair, known)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _rows(seen: View, pair: Pair, known: Catalogue) -> Iterator[list[str]]:
    found, source = chosen.compared(seen), seen.section.source
    lines = pair.baseline, pair.line
    scores = [legend.language_cell(line, source, seen.protocol) for line in lines]
    name = f"{legend.language_name(known, source)}, the source"
    yield [escape(name), *scores, difference(chosen.difference(seen, found, pair, source))]
    for group in seen.section.groups:
        cells = [_mean(line, group.name, seen.protocol) for line in lines]
        gain = chosen.difference(seen, found, pair, group.name)
        yield [escape(f"{group.name} ({len(group.corpora)})"), *cells, difference(gain)]


def _mean(line: Line, group: str, protocol: str) -> str:
    mean = line.means[group, protocol]
    return mean_text(mean.f1) if mean.f1 else f"{mean.scored}/{mean.size}"


def difference(found: Difference | None) -> str:
    """`-5.3 [-7.8, -2.9]`, bold where it is supported."""
    if found is None:
        return NONE
    low, high = found.low, found.high
    ends = "" if low is None or high is None else f" [{signed(low)}, {signed(high)}]"
    text = f"{signed(found.points)}{ends}"
    return f"**{text}**" if found.supported else text


def _legend(seen: View, pair: Pair) -> str:
    tested = "; in brackets 95 % intervals, bold what the data supports" if chosen.compared(seen) else ""
    return "\n".join(
        (
            f"Mean ± standard deviation over {pair.line.n_seeds} seeds{tested}. 11/23: only so many targets have a",
            f"score, so that there is no mean. Otherwise than the suite: {escape(pair.line.departures)}.",
            "**The encoder is an English one**: this shows that everything works on real data, and nothing about",
            "SLICER with a multilingual encoder. [All pictures](docs/pictures.md).",
        )
    )


def plots(made: Section, known: Catalogue) -> dict[Path, bytes]:
    """The pictures of the profile, as SVG."""
    folder = RUNS / "plots"
    with canvas.style():
        drawn = [canvas.files(one) for one in pictures.pictures(made, PROFILE, known)]
    return {folder / name: data for both in drawn for name, data in both.items() if name.endswith(".svg")}


def with_block(text: str, new: str) -> str:
    """A text with another block between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"README.md lacks the lines {BEGIN} and {END}; put them where the table belongs")
    return before + new + after


def stale(made: Section, known: Catalogue) -> list[str]:
    """What is not current: README.md, names of pictures."""
    text = README.read_text("utf-8")
    found = ["README.md"] if with_block(text, block(made, known)) != text else []
    return [*found, *(path.name for path, data in plots(made, known).items() if not _same(path, data))]


def _same(path: Path, data: bytes) -> bool:
    """Whether a picture is as it should be; drawn by another matplotlib, whether it says the same."""
    if not path.is_file():
        return False
    own, new = path.read_bytes(), data
    return own == new if _pinned() else _said(own) == _said(new)


def _pinned() -> bool:
    """Whether matplotlib is that of the constraints."""
    return f"matplotlib=={version('matplotlib')}" in CONSTRAINTS.read_text("utf-8").split()


def _said(svg: bytes) -> Sequence[bytes]:
    """Title and description: all numbers are in them."""
    return re.findall(rb"<(?:title|desc)>.*?</", svg, re.DOTALL)


def write() -> Iterable[Path]:
    """Write what is made."""
    made, known = section()
    README.write_text(with_block(README.read_text("utf-8"), block(made, known)), "utf-8")
    contents = plots(made, known)
    for path, data in contents.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return README, *contents


def main(words: Sequence[str]) -> None:
    """Write, or with `--check` only tell."""
    if words == ["--check"]:
        if found := stale(*section()):
            raise SystemExit(f"not current: {', '.join(found)}; make them again with: python docs/readme.py")
    elif words:
        raise SystemExit("usage: python docs/readme.py [--check]")
    else:
        sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in write())


if __name__ == "__main__":
    main(sys.argv[1:])
