"""Tag schemes as data: IOB1, IOB2 and IOBES -> spans -> IOB2, and harmonization by the types' names.

IOB2 is the one scheme inside. Gold that its own scheme does not allow is repaired once, under this policy:
*an orphan I- opens a span*, as does any continuing tag without a span of its type before it, and a span ends
where nothing continues it. That is how seqeval reads tags in its lenient mode. A repaired tag is one that
differs from what the scheme writes for the spans that were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Scheme = Literal["iob1", "iob2", "iobes"]

REPAIR_POLICY = "orphan I- opens a span"
OUTSIDE = "O"


class Letters(NamedTuple):
    """What a scheme writes for the first, inner and last word of a span, and for a span of one word."""

    first: str
    inner: str
    last: str
    single: str


SCHEMES: dict[Scheme, Letters] = {
    "iob1": Letters("I", "I", "I", "I"),  # B- only where a span touches one of its own type before it
    "iob2": Letters("B", "I", "I", "B"),
    "iobes": Letters("B", "I", "E", "S"),
}
OPENING = frozenset("BS")  # always begin a span, in every scheme
CLOSING = frozenset("ES")  # always end one


class Span(NamedTuple):
    """An entity: words start..stop-1 of a sentence."""

    type: str
    start: int
    stop: int


class BadTag(ValueError):
    """A tag that cannot be read; `position` is its word. Whoever knows the file says where."""

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        super().__init__(reason)


class Converted(NamedTuple):
    """The tags of one sentence in IOB2, and how many tags of the file had to be repaired (of any type)."""

    tags: tuple[str, ...]
    repaired: int


def tag_names(types: Iterable[str]) -> tuple[str, ...]:
    """Tags of IOB2 over these types, in the order of their ids: O, B-PER, I-PER, ..."""
    return (OUTSIDE, *(f"{letter}-{type_}" for type_ in types for letter in "BI"))


def parts(tag: str, scheme: Scheme) -> tuple[str, str]:
    """Cut a tag into letter and type; O has the empty type. Raises ValueError with the reason."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    letter, dash, type_ = tag.partition("-")
    letters = {"B", *SCHEMES[scheme]}
    if letter not in letters or not dash or not type_:
        known = ", ".join(f"{known}-TYPE" for known in sorted(letters))
        raise ValueError(f"tag {tag!r} is not of the scheme {scheme.upper()} (O, {known})")
    return letter, type_


def spans(tags: Sequence[str], scheme: Scheme = "iob2") -> list[Span]:
    """Read the entities of a sentence. Raises BadTag."""
    return _join([_parts_at(position, tag, scheme) for position, tag in enumerate(tags)])


def _parts_at(position: int, tag: str, scheme: Scheme) -> tuple[str, str]:
    try:
        return parts(tag, scheme)
    except ValueError as error:
        raise BadTag(position, str(error)) from None


def _join(read: Sequence[tuple[str, str]]) -> list[Span]:
    """Letters and types -> spans: one reading for all schemes, because no letter means two things."""
    found: list[Span] = []
    start, open_type = 0, ""  # no type is open while it is empty
    for position, (letter, type_) in enumerate(read):
        if open_type and (letter in OPENING or type_ != open_type):
            found.append(Span(open_type, start, position))
            open_type = ""
        if type_ and not open_type:
            start, open_type = position, type_
        if letter in CLOSING:
            found.append(Span(open_type, start, position + 1))
            open_type = ""
    if open_type:
        found.append(Span(open_type, start, len(read)))
    return found


def write(entities: Iterable[Span], length: int, scheme: Scheme = "iob2") -> list[str]:
    """Write the entities of a sentence of `length` words; they come in order and do not overlap."""
    written = [OUTSIDE] * length
    letters = SCHEMES[scheme]
    before: Span | None = None
    for span in entities:
        written[span.start : span.stop] = [f"{letter}-{span.type}" for letter in _letters(span, letters)]
        if scheme == "iob1" and before and (before.type, before.stop) == (span.type, span.start):
            written[span.start] = f"B-{span.type}"
        before = span
    return written


def _letters(span: Span, letters: Letters) -> list[str]:
    inner = span.stop - span.start - 2
    return [letters.single] if inner < 0 else [letters.first, *[letters.inner] * inner, letters.last]


class Converter:
    """Turns the tags of a data set's files into IOB2 over a suite's types; equal tags share one answer."""

    def __init__(self, scheme: Scheme, types: Sequence[str], harmonize: Mapping[str, str]) -> None:
        self.scheme = scheme
        self.types = frozenset(types)
        self.harmonize = dict(harmonize)
        self._known: dict[tuple[str, ...], Converted] = {}

    def __call__(self, raw: tuple[str, ...]) -> Converted:
        """Convert the tags of one sentence. Raises BadTag where the scheme or the suite does not know one."""
        known = self._known.get(raw)
        if known is None:
            known = self._known[raw] = self._convert(raw)
        return known

    def _convert(self, raw: tuple[str, ...]) -> Converted:
        read = spans(raw, self.scheme)
        regular = write(read, len(raw), self.scheme)
        mapped = [span._replace(type=self._type(span, raw)) for span in read]
        kept = [span for span in mapped if span.type != OUTSIDE]
        return Converted(tuple(write(kept, len(raw))), sum(map(str.__ne__, raw, regular)))

    def _type(self, span: Span, raw: tuple[str, ...]) -> str:
        type_ = self.harmonize.get(span.type, span.type)
        if type_ != OUTSIDE and type_ not in self.types:
            meant = "" if type_ == span.type else f", harmonized to {type_},"
            raise BadTag(
                span.start,
                f"tag {raw[span.start]!r}{meant} has a type that is not among"
                f" {', '.join(sorted(self.types))}; mend the tag, or add {span.type} to the card's `types` and"
                f" `harmonize` it (O drops it)",
            )
        return type_
