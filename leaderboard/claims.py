"""What the record of a run that a stranger made may say: names that are names, and parts that fit each other.

Whatever is shown anywhere (in a terminal, Markdown, Parquet, a page, somebody's spreadsheet) has here the form that it
has in records of `xner-bench run`. Whether the numbers are right is for `verify_bundle` to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from xner_bench import identity
from xner_bench.perturbed import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xner_bench.results import Run

METHOD = re.compile(r"[a-z][a-z0-9-]{0,60}(\+[a-z][a-z0-9-]{0,60}){0,7}")
OPTION = re.compile(r"[a-z][a-z0-9_]{0,60}")
SUITE = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
CORPUS = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}:[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,60}")
HASH = re.compile(r"[0-9a-f]{64}")
# Of an encoder, a plugin or an option: no markup, and nothing in front that a spreadsheet would compute.
SHOWN = re.compile(r"[\w./][\w ./,:()+@~-]{0,199}")
THREADS = 4_096
EPOCHS, TARGETS, SENTENCES, SHOTS = 10_000, 2_000, 10_000_000, 1_000_000  # more than anybody has


def problems(run: Run) -> Iterator[str]:
    """What is wrong with a record: nothing, if `xner-bench run` may have written it when the run was done."""
    if run.state != "done" or run.error is not None:
        yield f"the run is {run.state}; only finished ones are compared"
    yield from _names(run)
    yield from _shapes(run)
    yield from _parts(run)
    if identity.numbers_of(run) is None:
        yield "its ids are not those of what it says: it was changed, or another version wrote it"


def _names(run: Run) -> Iterator[str]:
    settings = run.settings
    corpora = [*settings.corpora, *settings.chosen_on, *(one.corpus for one in _records(run))]
    mapped = [name for mapping in settings.harmonize.values() for pair in mapping.items() for name in pair]
    yield from _unlike(SUITE, "suite", [settings.suite])
    yield from _unlike(METHOD, "method", [settings.method])
    yield from _unlike(OPTION, "option", settings.options)
    yield from _unlike(CORPUS, "language", corpora)
    yield from _unlike(TYPE, "entity type", [*settings.types, *mapped])
    yield from _unlike(HASH, "fingerprint", [run.encoder.fingerprint, *(one.fingerprint for one in run.data)])
    yield from _unlike(SHOWN, "encoder", filter(None, [run.encoder.name, settings.encoder]))
    yield from _unlike(SHOWN, "revision", filter(None, [run.encoder.revision, settings.encoder_revision]))
    yield from _unlike(SHOWN, "method's origin", [run.method_origin])
    yield from _unlike(SHOWN, "value of an option", filter(None, filter(_is_text, settings.options.values())))
    if settings.encoder != run.encoder.name:
        yield f"it began at encoder {run.encoder.name}, its settings say {settings.encoder}"


def _records(run: Run) -> Iterator[Any]:
    yield from (*run.data, *run.perturbed, *run.few_shot, *run.missing)


def _unlike(pattern: re.Pattern[str], what: str, names: Iterable[str]) -> Iterator[str]:
    wrong = [name for name in names if not pattern.fullmatch(name)]
    if wrong:
        yield f"{wrong[0][:80]!a} is no name of a kind that is taken for: {what}"


def _shapes(run: Run) -> Iterator[str]:
    """Values that have no type in the record's own schema."""
    if wrong := [name for name, value in run.settings.options.items() if not _plain(value)]:
        yield f"option {wrong[0]} is no number, switch or name"
    for name, value in run.provenance.items():
        right = {"command": _words, "packages": _versions}.get(name, _plain)
        if not right(value):
            yield f"provenance: {name} is not what a run records"
    peaks = (one for one in (run.peak_memory, run.peak_gpu_memory) if one is not None)
    if any(not 0 <= one < 1e10 for one in (*run.seconds.values(), *peaks)) or run.encoder.parameters < 0:
        yield "a time or a size is negative or endless"
    threads = run.provenance.get("threads")
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= THREADS):
        yield "a number of threads that no machine has"
    if run.settings.training.epochs > EPOCHS or len(run.settings.targets) > TARGETS:
        yield "more epochs or targets than anybody has"
    sizes = [*(one.sentences for one in run.data), *(one.sentences for one in run.perturbed)]
    if any(not 0 <= size <= SENTENCES for size in (*sizes, *(one.sentences for one in run.few_shot))):
        yield "a number of sentences is none"
    if any(k > min(one.sentences, SHOTS) for one in run.few_shot for k in one.k):
        yield "few-shot fine-tuning learned from more sentences than there are"


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _words(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _versions(value: object) -> bool:
    return isinstance(value, dict) and all(one is None or _is_text(one) for one in value.values())


def _parts(run: Run) -> Iterator[str]:
    """Every split is there that such a run reads, and each once."""
    settings = run.settings
    read = [(one.corpus, one.split) for one in run.data]
    made = [(one.corpus, one.split) for one in run.perturbed]
    learned = [one.corpus for one in run.few_shot]
    for name, parts in (("read", read), ("perturbed", made), ("learned from", learned)):
        if len({*parts}) < len(parts):
            yield f"a split is {name} twice"
    splits = {(corpus, part) for corpus in settings.corpora for part in ("train", "dev", "test")}
    if strange := [part for part in read if part not in splits]:
        yield f"{' '.join(strange[0])[:80]!a} was read, which such a run does not"
    needed = [*((name, "train") for name in settings.sources), *((name, "test") for name in settings.targets)]
    if lacking := sorted({*needed} - {*read}):
        yield f"{' '.join(lacking[0])} is not among what was read"
    tested = [corpus for corpus, part in read if part == "test"]
    if {*made} != {(corpus, split(name)) for corpus in tested for name in settings.perturb}:
        yield "its perturbed splits are not those that its settings ask for"
    asked = {name for name in settings.targets if name not in settings.sources} if settings.few_shot else set()
    if {*learned} != asked or any({*one.k} - {*settings.few_shot} for one in run.few_shot):
        yield "its few-shot fine-tuning is not what its settings ask for"
