"""Everything that decides what a run computes: hashed into the run's id, stored with it, and enough to do it again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from xner_bench import files, sources

SCHEMA = 1  # of run.json
NUMBERS = 2  # part of the run id; raise it when equal settings may give other numbers than before

# Fields of RunSettings that came later: grids and studies, which are named by their settings, keep their names without.
LATER = ("perturb", "few_shot", "sampling")

Profile = Literal["word-strict", "word-lenient", "subword-lenient", "tag-accuracy"]
Sampling = Literal["random", "shortest", "longest"]  # of sentences for few-shot fine-tuning
Perturbation = Literal["in-language", "in-script", "in-family"]


class Training(BaseModel):
    """How the common loop trains. The fields are flags of `xner-bench run`; a suite gives the values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(ge=1, le=1_000_000, description="passes over the sources' training splits")
    lr: float = Field(gt=0, allow_inf_nan=False, description="peak learning rate of AdamW")
    batch_size: int = Field(ge=1, description="sentences a step")
    weight_decay: float = Field(ge=0, allow_inf_nan=False, description="of AdamW, on matrices only")
    warmup: float = Field(ge=0, le=1, description="share of the steps in which the learning rate rises")
    clip: float | None = Field(gt=0, description="norm that gradients are clipped to (none: no clipping)")
    dropout: float = Field(ge=0, lt=1, description="on the states that the head reads")
    max_length: int = Field(ge=8, description="subwords a window; longer sentences are cut into windows and rejoined")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        description="arithmetic of the matrix products; auto is bf16 on a GPU that has it, else fp32"
    )
    subword_labels: Literal["first", "all"] = Field(description="which subwords of a word are trained on")


class RunSettings(BaseModel):
    """One run: a method trained from one encoder on its sources with one seed, for a suite's targets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    method: str
    options: dict[str, Any] = Field(default_factory=dict, description="the method's own fields, defaults included")
    encoder: str = Field(description="'mini', a folder, or a repository of the hub")
    encoder_revision: str | None = None
    source: str = Field(description="data set and language, as in wikiann:en; several at once are joined by +")
    targets: tuple[str, ...]
    types: tuple[str, ...] = Field(description="entity types that are trained and scored")
    harmonize: dict[str, dict[str, str]] = Field(default_factory=dict, description="per data set: type -> type or O")
    training: Training
    seed: int = Field(ge=0, lt=2**63)
    profiles: tuple[Profile, ...] = ("word-strict",)
    perturb: tuple[Perturbation, ...] = Field((), description="test splits with other entities, scored as well")
    true_protocol: str = "last"
    chosen_on: tuple[str, ...] = Field((), description="targets whose labels chose the settings: not zero-shot then")
    few_shot: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="sentences of a target to go on from")
    sampling: tuple[Sampling, ...] = Field(("random",), min_length=1, description="how these are drawn")
    elsewhere: dict[str, Any] = Field(
        default_factory=dict,
        description="of a language on itself: what the suite has for others, where it trains this one otherwise",
    )

    @field_validator("source")
    @classmethod
    def _in_order(cls, source: str) -> str:
        return sources.joined(sources.parts(source))

    @field_validator("few_shot")
    @classmethod
    def _rising(cls, few_shot: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(few_shot)))

    @field_validator("sampling")
    @classmethod
    def _in_usual_order(cls, sampling: tuple[Sampling, ...]) -> tuple[Sampling, ...]:
        return tuple(way for way in get_args(Sampling) if way in sampling)

    @field_validator("perturb")
    @classmethod
    def _each_once(cls, perturb: tuple[Perturbation, ...]) -> tuple[Perturbation, ...]:
        return tuple(name for name in get_args(Perturbation) if name in perturb)

    @property
    def sources(self) -> tuple[str, ...]:
        """The languages that are trained on, in the order of their data."""
        return sources.parts(self.source)

    @property
    def corpora(self) -> tuple[str, ...]:
        """The sources and every target, each once."""
        return tuple(dict.fromkeys((*self.sources, *self.targets)))

    @property
    def on_itself(self) -> bool:
        """Whether the one language that is trained on is the one that is tested."""
        return self.targets == (self.source,)

    @property
    def zero_shot(self) -> bool:
        """Whether no target's labels chose the settings. ORACLE apart, the scores of others are no zero-shot scores."""
        return not self.chosen_on


class Execution(BaseModel):
    """Where and how a run is carried out: not hashed. `device` and `subwords_at_once` round otherwise and draw other
    dropout, and change numbers as little as that does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    results: Path = Path("results")
    data_root: Path | None = None
    catalogue: tuple[Path, ...] = ()
    cache: Path = Field(default_factory=files.cache_dir)
    device: str = "auto"
    subwords_at_once: int | None = Field(None, ge=1, description="in training; None: what suits the device")
    threads: int | None = Field(None, ge=1, description="of the CPU; None: what torch takes by itself")
    allow_missing: bool = False
    keep_checkpoint: bool = False
    overwrite: Literal["never", "missing", "always"] = Field(
        "missing", description="of runs that are there: leave all of them, do what is missing, or do them anew"
    )


def digest(value: object) -> str:
    """sha256 of a value's canonical JSON: the same for equal values, on any machine, in any order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
