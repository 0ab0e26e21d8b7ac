"""Records and sections as strangers may read them: all that made the numbers, nothing of whose machine made them.

What happens to the fields of a run.json (`record`):

=====================  ===============================================================================================
settings.encoder       of a folder its name, which is what the leaderboard calls it
data, few_shot         the origin of a local file is the file's name; the hub's stay, with their commits
missing, few_shot      of the reason what is missing, without where it was looked for
provenance.command     places become words (RESULTS, DATA, CATALOGUE); dropped where it is not xner-bench's own, as
                       from a notebook or a worker
provenance.platform    system, version, machine and C library; not what else the kernel's builder called it
provenance, others     device, gpu, processor, threads, packages, python, time, a submission's hash stay; what is not
                       known by name is dropped
error, resumed         what ended or changed, without files
all other text         absolute paths become PATH, addresses but huggingface.co's become URL, tokens TOKEN
=====================  ===============================================================================================

Ids stay, as neither places nor the encoder's name are hashed; only a method's option that is a path, which is, makes
them impossible to compute again. `redacted` names the fields that are not as they were.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xner_bench.encoder import MINI
from xner_bench.leaderboard.hidden import TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.results import Run

PATH, URL, TOKEN = "PATH", "URL", "TOKEN"
PROGRAM = ("xner-bench", "__main__.py")
PLACES = {"--results": "RESULTS", "--data-root": "DATA", "--catalogue": "CATALOGUE", "--ray-address": "ADDRESS"}
# Of the provenance, kept under their names.
PLAIN = ("device", "gpu", "processor", "threads", "python", "started", "submission")

_URL = re.compile(r"\b(?!file:)[a-z][a-z0-9+.-]*://[^\s'\"<>),;]+", re.IGNORECASE)
_HUB = re.compile(r"https://huggingface\.co(?![\w.:@-])")
# From the first component of a path to a character that ends it in prose; names with blanks are cut there.
_PATH = re.compile(
    r"(?:(?<![\w.~/:@-])|(?<=file:))(?:file://)?(?:~[\w.-]*|\.\.?)?/(?:[^\s'\"`;,:()<>|/][^\s'\"`;,:()<>|]*)"
)
_HOME = re.compile(r"(?<![\w/])~[\w.-]+")
_PLATFORM = re.compile(r"(\w+-\d+(?:\.\d+)*)\S*?-(x86_64|aarch64|arm64|i686|ppc64le|s390x|riscv64)(-\S*)?")


def masked(text: str) -> str:
    """Text without absolute paths, addresses and tokens."""
    text = TOKENS.sub(TOKEN, text)
    text = _URL.sub(lambda found: found[0] if _HUB.match(found[0]) else URL, text)
    kept: list[str] = []

    def aside(found: re.Match[str]) -> str:  # what stays is no path either
        kept.append(found[0])
        return f"\0{len(kept) - 1}\0"

    text = _HOME.sub(PATH, _PATH.sub(PATH, _URL.sub(aside, text)))
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)


def masked_value(value: Any) -> Any:
    """Any value of JSON, with its texts masked."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(str(name)): masked_value(one) for name, one in value.items()}
    return [masked_value(one) for one in value] if isinstance(value, list | tuple) else value


def of_run(original: Run) -> Run:
    """A record for strangers."""
    settings = original.settings.model_copy(
        update={"encoder": _encoder(original), "options": masked_value(dict(original.settings.options))}
    )
    return original.model_copy(
        update={
            "settings": settings,
            "data": tuple(one.model_copy(update={"origin": _origin(one.origin)}) for one in original.data),
            "few_shot": tuple(
                one.model_copy(update={"origin": _origin(one.origin), "reason": _reason(one.corpus, one.reason)})
                for one in original.few_shot
            ),
            "missing": tuple(
                one.model_copy(update={"reason": _reason(one.corpus, one.reason)}) for one in original.missing
            ),
            "provenance": _provenance(original),
            "error": None if original.error is None else masked(original.error.partition(":")[0]),
            "resumed": tuple(masked(one.partition(";")[0]) for one in original.resumed),
            "method_facts": masked_value(original.method_facts),
        }
    )


def record(original: Run) -> dict[str, Any]:
    """The run.json for strangers, with the names of the fields that are not as they were."""
    before, after = original.model_dump(mode="json"), of_run(original).model_dump(mode="json")
    return {**after, "redacted": sorted(_changed(before, after))}


def of_sections(original: Sequence[Section]) -> tuple[Section, ...]:
    """Sections for strangers: a leaderboard made of them has no places in it, whatever a method's options are."""
    return tuple(
        replace(one, lines=tuple(map(_line, one.lines)), perturbed=tuple(map(_line, one.perturbed))) for one in original
    )


def _line(line: Line) -> Line:
    runs = tuple(map(of_run, line.runs))
    options = masked_value(dict(line.options))
    label = masked(line.label)
    if options != line.options or label != line.label:  # two labels may now be the same
        label = f"{label}, {(line.entry_id or '').rpartition('-')[2][:8]}"
    regular = _line(line.regular) if line.regular else None
    departures = masked(line.departures)
    return replace(line, label=label, options=options, departures=departures, runs=runs, regular=regular)


def _encoder(run: Run) -> str:
    """`mini`, the hub's repository, or a folder's name without where it lies."""
    return run.encoder.name if of_folder(run) else run.settings.encoder


def of_folder(run: Run) -> bool:
    """Whether the encoder was read from a folder: it is neither the package's own nor at a commit of the hub."""
    return run.encoder.revision is None and run.encoder.name != MINI


def _origin(origin: str) -> str:
    before, sign, path = origin.rpartition("file:")
    return f"{masked(before)}{sign}{path.rpartition('/')[2]}" if sign else masked(origin)


def _reason(corpus: str, reason: str) -> str:
    """`wikiann:ay has no dev split`, without the rest of the sentence."""
    if not reason.startswith(corpus):
        return "not at hand" if reason else ""
    return corpus + masked(reason.removeprefix(corpus).partition(":")[0])


def _provenance(run: Run) -> dict[str, Any]:
    told = run.provenance
    known = {name: masked_value(told[name]) for name in PLAIN if name in told}
    if isinstance(told.get("packages"), dict):
        known["packages"] = masked_value(told["packages"])
    if told.get("platform"):
        known["platform"] = _platform(str(told["platform"]))
    if told.get("command"):
        known["command"] = list(_command(run, [str(word) for word in told["command"]]))
    return known


def _platform(text: str) -> str:
    """`Linux-6.18.44-x86_64-with-glibc2.36`; the system's name alone where it reads otherwise."""
    found = _PLATFORM.fullmatch(text)
    return f"{found[1]}-{found[2]}{found[3] or ''}" if found else masked(text.partition("-")[0])


def _command(run: Run, words: list[str]) -> Iterator[str]:
    if words[0] not in PROGRAM:
        return
    yield words[0]
    flag = ""
    for word in words[1:]:
        name, sign, value = word.partition("=")
        if word.startswith("--") and sign:
            yield f"{name}={_word(run, name, value)}"
        else:
            yield word if word.startswith("--") else _word(run, flag, word)
        flag = word if word.startswith("--") and not sign else ""


def _word(run: Run, flag: str, value: str) -> str:
    """What followed a flag; words of a list one by one."""
    if flag in PLACES:
        return PLACES[flag]
    return ",".join(_part(run, part) for part in value.split(","))


def _part(run: Run, part: str) -> str:
    if of_folder(run) and part == run.settings.encoder:
        return run.encoder.name
    if part.startswith(("/", "~", "./", "../")) or (part.count("/") > 1 and "://" not in part):
        return PATH
    return masked(part)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Fields, of provenance and settings theirs, of which the values differ."""
    for name in before:
        if before[name] == after.get(name):
            continue
        if name in ("provenance", "settings"):
            yield from _changed(before[name], after[name], f"{name}.")
        else:
            yield f"{above}{name}"


def private(runs: Iterable[Run]) -> frozenset[str]:
    """Places that records tell of and that nothing published may have in it: a last check, see `publish.compose`."""
    found: set[str] = set()
    for one in runs:
        typed = [word for word in map(str, one.provenance.get("command") or ()) if word.startswith(("/", "~"))]
        places = [*typed, *([one.settings.encoder] if of_folder(one) else [])]
        origins = (*(part.origin for part in one.data), *(part.origin for part in one.few_shot))
        places += [origin.partition("file:")[2] for origin in origins]
        found |= {place.rstrip("/") for place in places}
    return frozenset(place for place in found if place.startswith("/") and place.count("/") > 1)
