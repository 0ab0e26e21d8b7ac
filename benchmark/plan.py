"""What is settled before a run begins: the data is there and sound, the encoder is found, the run has its id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench import catalogue, corpus, device, encoder, registry, tags
from xner_bench.errors import XnerError
from xner_bench.results import CorpusRecord, Missing
from xner_bench.settings import NUMBERS, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from xner_bench.catalogue import Catalogue, Suite
    from xner_bench.corpus import Corpus, Sealed
    from xner_bench.encoder import Pretrained
    from xner_bench.method import Method
    from xner_bench.results import Run
    from xner_bench.settings import Execution, RunSettings
    from xner_bench.watch import Watch


class Part(NamedTuple):
    """One split of one language."""

    corpus: str  # "wikiann:en"
    split: str


@dataclass(frozen=True)
class Plan:
    """A run that can begin."""

    settings: RunSettings  # as this machine can carry them out
    execution: Execution
    catalogue: Catalogue
    suite: Suite
    method: Method
    device: torch.device
    pretrained: Pretrained
    encoder_fingerprint: str
    sealed: Mapping[Part, Sealed]  # the source's train, and every dev and test split; no tags
    missing: tuple[Missing, ...]
    run_id: str
    entry_id: str

    @property
    def tag_names(self) -> tuple[str, ...]:
        return tags.tag_names(self.settings.types)

    def read(self, part: Part) -> Corpus:
        """Words and tags of a split: the one door through which labels come."""
        read = corpus.read(*_place(self.catalogue, part), **_reading(self.settings, self.execution, part))
        if read.fingerprint != self.sealed[part].fingerprint:
            raise XnerError(
                f"{part.corpus} {part.split} changed while the run went on ({read.origin}); run the command again"
            )
        return read

    def data(self) -> tuple[CorpusRecord, ...]:
        return tuple(_record(part, sealed) for part, sealed in self.sealed.items())


def make(settings: RunSettings, execution: Execution, watch: Watch) -> Plan:
    """Check everything that can be checked before training; XnerError names what is in the way."""
    cat = catalogue.load(execution.catalogue)
    suite = cat.suite(settings.suite)
    method = registry.make(settings.method, settings.options)
    where = device.choose(execution.device)
    settings = _within_reach(settings, where, watch)
    pretrained = _encoder(settings, method, watch)
    sealed, missing = _seal(settings, execution, cat, watch)
    settings = _without(settings, missing)
    fingerprint = pretrained.fingerprint()
    entry = _identity(settings, fingerprint, sealed)
    entry_id = digest(entry)
    run_id = digest({**entry, "seed": settings.seed})
    return Plan(
        settings=settings,
        execution=execution,
        catalogue=cat,
        suite=suite,
        method=method,
        device=where,
        pretrained=pretrained,
        encoder_fingerprint=fingerprint,
        sealed=sealed,
        missing=missing,
        run_id=f"{settings.method}-{settings.suite}-s{settings.seed}-{run_id[:12]}",
        entry_id=f"{settings.method}-{settings.suite}-{entry_id[:12]}",
    )


def widened(ready: Plan, done: Run) -> Plan:
    """The plan, with everything that an earlier completion of the same run already offers."""
    profiles = tuple(dict.fromkeys((*done.settings.profiles, *ready.settings.profiles)))
    keep = ready.execution.keep_checkpoint or done.checkpoint_kept
    return replace(
        ready,
        settings=ready.settings.model_copy(update={"profiles": profiles}),
        execution=ready.execution.model_copy(update={"keep_checkpoint": keep}),
    )


def _within_reach(settings: RunSettings, where: torch.device, watch: Watch) -> RunSettings:
    """Settle what the machine decides, so that the settings say what is really computed."""
    precision = device.precision_for(where, settings.training.precision)
    if precision == settings.training.precision:
        return settings
    if settings.training.precision != "auto":
        watch.note(f"{settings.training.precision} needs a GPU: this run computes in {precision}, and its id says so")
    training = settings.training.model_copy(update={"precision": precision})
    return settings.model_copy(update={"training": training})


def _encoder(settings: RunSettings, method: Method, watch: Watch) -> Pretrained:
    """Find the encoder, and let the method say now whether its head fits on it."""
    found = encoder.find(settings.encoder, settings.encoder_revision)
    if found.revision and not settings.encoder_revision:
        watch.note(f"encoder {found.name} at commit {found.revision}; pin it with --encoder-revision")
    sizes = encoder.sizes(encoder.configuration(found), settings.training.dropout)
    method.head(sizes, tags.tag_names(settings.types))
    return found


def _place(cat: Catalogue, part: Part) -> tuple[Any, Any, Any]:
    card, language = cat.language(part.corpus)
    return card, language, part.split


def _reading(settings: RunSettings, execution: Execution, part: Part) -> dict[str, Any]:
    dataset = part.corpus.partition(":")[0]
    return {
        "places": corpus.Places(execution.data_root, execution.cache),
        "types": settings.types,
        "harmonize": settings.harmonize.get(dataset, {}),
    }


def _seal(
    settings: RunSettings, execution: Execution, cat: Catalogue, watch: Watch
) -> tuple[dict[Part, Sealed], tuple[Missing, ...]]:
    """Read and validate all splits, without their tags; splits that are nowhere stop the run, or are recorded."""
    wanted = [Part(settings.source, "train")]
    wanted += [Part(name, split) for split in ("dev", "test") for name in settings.corpora]
    sealed: dict[Part, Sealed] = {}
    missing: list[Missing] = []
    with watch.stage("checking data", len(wanted)) as advance:
        for part in wanted:
            try:
                sealed[part] = corpus.seal(*_place(cat, part), **_reading(settings, execution, part))
            except corpus.MissingSplit as error:
                missing.append(Missing(corpus=part.corpus, split=part.split, reason=str(error)))
            advance(1, " ".join(part))
    if missing:
        _object_to(missing, settings, execution, wanted)
        watch.note(f"going on without {_listing(missing)}")
    untested = {one.corpus for one in missing if one.split == "test"} - {settings.source}
    needed = {part: one for part, one in sealed.items() if part.corpus not in untested}  # their dev answers nothing
    return needed, tuple(missing)


def _object_to(missing: list[Missing], settings: RunSettings, execution: Execution, wanted: list[Part]) -> None:
    """Stop before training unless the user agreed to go on; a source without training data always stops."""
    if any(one.corpus == settings.source and one.split == "train" for one in missing):
        raise XnerError(f"nothing to train on: {missing[0].reason}")
    tested = [name for name in settings.targets if not any(m.corpus == name and m.split == "test" for m in missing)]
    if not tested:
        raise XnerError(
            f"no target has a test split: {_listing(missing)}; say where the data lies with --data-root DIR"
        )
    if not execution.allow_missing:
        raise XnerError(
            f"{len(missing)} of {len(wanted)} splits are missing ({len(settings.targets) - len(tested)} of "
            f"{len(settings.targets)} targets cannot be tested): {_listing(missing)}; "
            "add them (--data-root DIR, or `xner-bench data fetch`), or go on without them with --allow-missing"
        )


def _listing(missing: list[Missing]) -> str:
    """Corpora with their missing splits: "wikiann:ar test, wikiann:ay dev test"."""
    splits: dict[str, list[str]] = {}
    for one in missing:
        splits.setdefault(one.corpus, []).append(one.split)
    return ", ".join(f"{name} {' '.join(lost)}" for name, lost in splits.items())


def _without(settings: RunSettings, missing: tuple[Missing, ...]) -> RunSettings:
    """Leave out the targets that cannot be tested: the settings say what is really computed."""
    untested = {one.corpus for one in missing if one.split == "test"}
    return settings.model_copy(update={"targets": tuple(t for t in settings.targets if t not in untested)})


def _record(part: Part, sealed: Sealed) -> CorpusRecord:
    return CorpusRecord(
        corpus=part.corpus,
        split=part.split,
        sentences=len(sealed.sentences),
        fingerprint=sealed.fingerprint,
        sha256=sealed.sha256,
        origin=sealed.origin,
        repaired=sealed.repaired,
    )


def _identity(settings: RunSettings, encoder_fingerprint: str, sealed: Mapping[Part, Sealed]) -> dict[str, Any]:
    """What decides the numbers, but for the seed: settings, and the contents of data and encoder, wherever they lie."""
    own = settings.model_dump(mode="json", exclude={"seed", "encoder", "encoder_revision", "profiles", "true_protocol"})
    own["targets"] = sorted(settings.corpora)  # in whatever order; the source is always tested
    data = {" ".join(part): one.fingerprint for part, one in sealed.items()}
    origin = registry.origin(settings.method)  # another version of a plugin may compute other numbers
    return {"numbers": NUMBERS, "settings": own, "method": origin, "encoder": encoder_fingerprint, "data": data}
