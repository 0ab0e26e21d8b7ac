"""What is settled before a run begins: the data is there and sound, the encoder is found, the run has its id."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from xner_bench import corpus, device, encoder, perturbed, registry, remembered, samples, tags
from xner_bench.errors import XnerError
from xner_bench.identity import identity
from xner_bench.method import Moment
from xner_bench.results import CorpusRecord, Missing
from xner_bench.settings import Perturbation
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from xner_bench.catalogue import Catalogue, Suite
    from xner_bench.corpus import Corpus, Sealed
    from xner_bench.encoder import Pretrained
    from xner_bench.method import Method
    from xner_bench.results import Run
    from xner_bench.samples import Shots
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
    sealed: Mapping[Part, Sealed]  # the sources' train, and every dev and test split; no tags
    missing: tuple[Missing, ...]
    run_id: str
    entry_id: str
    lent: Mapping[Part, Sealed] = field(default_factory=dict)  # more test splits, for perturbed ones to draw from
    shots: tuple[Shots, ...] = ()  # sentences of the targets' train splits for few-shot fine-tuning; no tags

    @property
    def tag_names(self) -> tuple[str, ...]:
        return tags.tag_names(self.settings.types)

    def read(self, part: Part) -> Corpus:
        """Words and tags of a split: the one door through which labels come."""
        settings = _of_all(self.settings, self.suite, self.catalogue)
        read = corpus.read(*_place(self.catalogue, part), **_reading(settings, self.execution, part))
        if read.fingerprint != self._known(part).fingerprint:
            raise XnerError(
                f"{part.corpus} {part.split} changed while the run went on ({read.origin}); run the command again"
            )
        return read

    def _known(self, part: Part) -> Sealed:
        drawn = {Part(one.record.corpus, "train"): one.sealed for one in self.shots if one.sealed}
        return {**drawn, **self.lent, **self.sealed}[part]

    def test_split(self, key: str) -> Corpus | None:
        """Words and tags of a language's test split, tested here or not; None where it is not here."""
        part = Part(key, "test")
        return self.read(part) if part in self.sealed or part in self.lent else None

    def pools(self) -> set[tuple[str, str, str]]:
        """The perturbed test splits that are asked for: language, split, and what they draw from, as recorded."""
        here = {part.corpus: one.fingerprint for part, one in self.lent.items()}
        here |= {part.corpus: one.fingerprint for part, one in self.sealed.items() if part.split == "test"}
        tested = [part.corpus for part in self.sealed if part.split == "test"]
        return {
            (key, perturbed.split(name), perturbed.pool(here, perturbed.lenders(self.catalogue, self.suite, key, name)))
            for name in self.settings.perturb
            for key in tested
        }

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
    method.check(_end(settings, sealed))
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
        lent=_lent(settings, execution, cat, suite, sealed),
        shots=_shots(settings, execution, cat, sealed, watch),
    )


def widened(ready: Plan, done: Run, watch: Watch = SILENT) -> Plan:
    """The plan, with everything that an earlier completion of the same run already offers.

    What is asked for now was looked for already; what the run had before may go without what it went without then.
    """
    profiles = tuple(dict.fromkeys((*done.settings.profiles, *ready.settings.profiles)))
    perturb = {*done.settings.perturb, *ready.settings.perturb}
    every = {"profiles": profiles, "perturb": tuple(name for name in get_args(Perturbation) if name in perturb)}
    settings = samples.widened(ready.settings.model_copy(update=every), done.settings)
    keep = ready.execution.keep_checkpoint or done.checkpoint_kept
    lenient = ready.execution.model_copy(update={"allow_missing": True})
    return replace(
        ready,
        settings=settings,
        execution=ready.execution.model_copy(update={"keep_checkpoint": keep}),
        lent=_lent(settings, lenient, ready.catalogue, ready.suite, ready.sealed),
        shots=_shots(settings, lenient, ready.catalogue, ready.sealed, watch),
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


def _end(settings: RunSettings, sealed: Mapping[Part, Sealed]) -> Moment:
    """The last moment of training, if no sentence is cut into windows."""
    sentences = sum(len(sealed[Part(name, "train")].sentences) for name in settings.sources)
    steps = math.ceil(sentences / settings.training.batch_size) * settings.training.epochs
    return Moment(steps, steps, sentences)


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


def _of_all(settings: RunSettings, suite: Suite, cat: Catalogue) -> RunSettings:
    """The settings with the types' names of all data sets of the suite, and not only of those that the run reads."""
    names = {target.partition(":")[0] for target in suite.targets}
    every = {name: suite.harmonization(cat.card(name)) for name in sorted(names)}
    return settings.model_copy(update={"harmonize": {**every, **settings.harmonize}})


def _lent(
    settings: RunSettings, execution: Execution, cat: Catalogue, suite: Suite, sealed: Mapping[Part, Sealed]
) -> dict[Part, Sealed]:
    """Test splits that are not tested, and that perturbed ones draw from. XnerError where one is missing, unless the
    user agreed to go on: without it they are others."""
    tested = {part.corpus for part in sealed if part.split == "test"}
    asked = {one for key in tested for name in settings.perturb for one in perturbed.lenders(cat, suite, key, name)}
    wide = _of_all(settings, suite, cat)
    found: dict[Part, Sealed] = {}
    missing: list[corpus.MissingSplit] = []
    for part in (Part(key, "test") for key in sorted(asked - tested)):
        try:
            found[part] = remembered.seal(*_place(cat, part), **_reading(wide, execution, part))
        except corpus.MissingSplit as error:
            missing.append(error)
    if missing and not execution.allow_missing:
        raise perturbed.lacking(settings.suite, missing)
    return found


def _seal(
    settings: RunSettings, execution: Execution, cat: Catalogue, watch: Watch
) -> tuple[dict[Part, Sealed], tuple[Missing, ...]]:
    """Read and validate all splits, without their tags; splits that are nowhere stop the run, or are recorded."""
    wanted = [Part(name, "train") for name in settings.sources]
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
    untested = {one.corpus for one in missing if one.split == "test"} - {*settings.sources}
    needed = {part: one for part, one in sealed.items() if part.corpus not in untested}  # their dev answers nothing
    return needed, tuple(missing)


def _shots(
    settings: RunSettings, execution: Execution, cat: Catalogue, sealed: Mapping[Part, Sealed], watch: Watch
) -> tuple[Shots, ...]:
    """What the targets offer to few-shot fine-tuning, from words alone. Their train splits decide no run's id."""

    def seal(name: str) -> Sealed:
        part = Part(name, "train")
        return remembered.seal(*_place(cat, part), **_reading(settings, execution, part))

    tests = {part.corpus: one for part, one in sealed.items() if part.split == "test"}
    return samples.take(settings, seal, tests, execution.allow_missing, watch)


def _object_to(missing: list[Missing], settings: RunSettings, execution: Execution, wanted: list[Part]) -> None:
    """Stop before training unless the user agreed to go on; a source without training data always stops."""
    if missing[0].split == "train":  # they come first
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
