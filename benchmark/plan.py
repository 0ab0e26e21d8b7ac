"""What is settled before a run begins: the data is there and sound, the encoder is found, the run has its id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench import corpus, device, encoder, registry, remembered, tags
from xner_bench.errors import XnerError
from xner_bench.identity import identity
from xner_bench.results import CorpusRecord, Missing

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
    remembered.begin_plan()
    cat = remembered.catalogue(execution.catalogue)
    suite = cat.suite(settings.suite)
    method = registry.make(settings.method, settings.options)
    where = device.choose(execution.device)
    settings = _within_reach(settings, where, watch)
    pretrained = _encoder(settings, method, watch)
    sealed, missing = _seal(settings, execution, cat, watch)
    settings = _without(settings, missing)
    fingerprint = remembered.fingerprint(pretrained)
    prints = {" ".join(part): one.fingerprint for part, one in sealed.items()}
    names = identity(settings, registry.origin(settings.method), fingerprint, prints)
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
        run_id=names.run_id,
        entry_id=names.entry_id,
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
    sizes = encoder.sizes(remembered.configuration(found), settings.training.dropout)
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
                sealed[part] = remembered.seal(*_place(cat, part), **_reading(settings, execution, part))
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
