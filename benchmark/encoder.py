"""Pretrained encoders: found in the package, in a folder or on the hub, loaded safely, set up for batches."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import files, hub
from xner_bench.errors import UnknownName, XnerError
from xner_bench.method import Sizes
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.layout import Layout
    from xner_bench.watch import Watch

MINI = "mini"
# Weights only as safetensors: a pickled checkpoint can run code when it is loaded.
WANTED = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *(
        "tokenizer*",
        "vocab*",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
        "*.model",
        "spiece*",
    ),
)
# Multilingual encoders that people use for this; only offered when a name is found nowhere.
SUGGESTED = (
    MINI,
    "xlm-roberta-base",
    "xlm-roberta-large",
    "bert-base-multilingual-cased",
    "distilbert-base-multilingual-cased",
    "microsoft/mdeberta-v3-base",
    "google/rembert",
    "Davlan/afro-xlmr-base",
    "jhu-clsp/mmBERT-base",
)
ROOM_FOR = 512  # subwords, for an encoder that names no limit


@dataclass(frozen=True)
class Pretrained:
    """An encoder on this machine's disk."""

    name: str  # as results name it: "mini", the repository, or the folder's name
    folder: Path
    revision: str | None  # the commit, for one of the hub

    def fingerprint(self) -> str:
        """sha256 over configuration, weights and tokenizer, whatever folder they lie in."""
        total = hashlib.sha256()
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and any(path.match(pattern) for pattern in WANTED):
                total.update(f"{path.name} {files.sha256(path)}\n".encode())
        return total.hexdigest()


def find(name: str, revision: str | None = None) -> Pretrained:
    """Find an encoder: `mini`, a folder with a transformers model, or a repository of the hub (fetched once)."""
    if name == MINI:
        return Pretrained(MINI, Path(str(package_files("xner_bench.mini") / "encoder")), None)
    folder = Path(name)
    with suppress(RuntimeError):  # ~somebody who is not known here
        folder = folder.expanduser()
    if folder.is_dir():
        return Pretrained(_folder_name(folder.resolve()), _complete(folder), None)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise XnerError(
            f"no encoder folder {name}; give a folder with config.json, model.safetensors and tokenizer.json"
        )
    return _from_hub(name, revision)


def _folder_name(folder: Path) -> str:
    """What results call a folder: its name, with the folder around it where the name says nothing."""
    return f"{folder.parent.name}/{folder.name}" if folder.name in ("model", "encoder", "checkpoint") else folder.name


def _complete(folder: Path) -> Path:
    for wanted in ("config.json", "tokenizer.json"):
        if not (folder / wanted).is_file():
            raise XnerError(
                f"encoder folder {folder} has no {wanted}; it needs config.json, model.safetensors and tokenizer.json"
            )
    if not any(folder.glob("*.safetensors")):
        raise XnerError(
            f"encoder folder {folder} has no *.safetensors; pickled weights are not loaded, convert them first"
        )
    if lost := [shard for shard in _shards(folder) if not (folder / shard).is_file()]:
        raise XnerError(f"encoder folder {folder} has no {lost[0]}, which its index of weights names; add it")
    return folder


def _shards(folder: Path) -> list[str]:
    """Files that weights are spread over, where they are."""
    index = folder / "model.safetensors.index.json"
    try:
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())) if index.is_file() else []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise XnerError(f"encoder folder {folder}: {index.name} is no index of weights; fetch it again") from error


def _from_hub(name: str, revision: str | None) -> Pretrained:
    """Take a repository from the hub's cache, or fetch it there at the revision asked for."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        folder = _cached(name, revision) or _fetched(name, revision)
    except GatedRepoError as error:
        raise XnerError(
            f"encoder {name!r} asks for a licence on the hub; accept it there and log in with `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise XnerError(
            f"encoder {name!r} has no revision {revision!r} on the hub; leave out the revision for the newest"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UnknownName("encoder", name, SUGGESTED, "(or give a folder, or a repository of the hub)") from error
    except Exception as error:  # whatever a network, a proxy or a hub can do
        meant = "" if name in SUGGESTED else f" ({UnknownName('encoder', name, SUGGESTED)})"
        raise XnerError(
            f"encoder {name!r} is not on this machine and the hub cannot be reached ({type(error).__name__}); "
            f"give its folder with --encoder DIR, or fetch it where there is a network{meant}"
        ) from error
    return Pretrained(name, _complete(Path(folder)), Path(folder).name)


def _fetched(name: str, revision: str | None) -> str:
    """Fetch a repository; the hub is asked first, which tells at once that it is out of reach. Fetching retries."""
    from huggingface_hub import HfApi, snapshot_download

    HfApi(endpoint=hub.endpoint(), library_name="xner-bench").model_info(name, revision=revision, timeout=hub.TIMEOUT)
    return snapshot_download(name, revision=revision, allow_patterns=list(WANTED))


def _cached(name: str, revision: str | None) -> str | None:
    """The snapshot of a repository that an earlier run fetched whole, without asking the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=list(WANTED), local_files_only=True)
        return str(_complete(Path(folder)))
    except (LocalEntryNotFoundError, XnerError):
        return None


class Encoder:
    """A loaded encoder: the transformer, its tokenizer, and what the rest must know of it.

    It is loaded as transformers' token-classification model for these tags, whose own head is left aside: so the
    encoder is just what such a model has inside (no pooler), and a trained tagger can be written back as one
    (`whole`).
    """

    def __init__(self, pretrained: Pretrained, tags: Sequence[str]) -> None:
        self.pretrained = pretrained
        self.whole = _load(pretrained.folder, tags)
        self.transformer = self.whole.base_model
        self.config = self.whole.config
        self.tokenizer = _tokenizer(pretrained.folder)
        self.parameters = sum(parameter.numel() for parameter in self.transformer.parameters())

    def sizes(self, dropout: float) -> Sizes:
        """What a head must know."""
        return sizes(self.config, dropout)

    @property
    def pad(self) -> int:
        return int(getattr(self.config, "pad_token_id", None) or 0)

    @property
    def room(self) -> int:
        """Subwords that fit in a window, special tokens included."""
        from torch import nn

        limits = [int(self.tokenizer.model_max_length)]
        for name, module in self.transformer.named_modules():
            if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
                # Encoders of the RoBERTa kind count positions from padding_idx + 1.
                limits.append(module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1))
        if len(limits) == 1:
            limits.append(int(getattr(self.config, "max_position_embeddings", ROOM_FOR)))
        return min(limits)

    def layout(self, watch: Watch = SILENT) -> Layout:
        """How batches go through this encoder, found by comparing; its products are set up by the way."""
        from xner_bench import layout, products

        products.install(self.transformer)
        return layout.choose(self.transformer, self.pad, self.room, watch)


def configuration(pretrained: Pretrained) -> Any:
    """The encoder's transformers configuration, without its weights."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(pretrained.folder, trust_remote_code=False)
    except Exception as error:
        raise _broken(pretrained.folder, error) from error


def sizes(config: Any, dropout: float) -> Sizes:
    """What a head must know of an encoder, from its configuration."""
    if not hasattr(config, "hidden_size"):
        raise XnerError(f"encoder of type {config.model_type!r} has no hidden_size; choose an encoder-only one")
    std = float(getattr(config, "initializer_range", 0.02))
    return Sizes(int(config.hidden_size), int(config.num_hidden_layers), dropout, std)


def _load(folder: Path, tags: Sequence[str]) -> Any:
    """Load weights, without code from elsewhere and without pickles."""
    import torch
    from transformers import AutoModelForTokenClassification

    names = dict(enumerate(tags))
    with silenced():
        try:
            whole, loaded = AutoModelForTokenClassification.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                id2label=names,
                label2id={name: tag for tag, name in names.items()},
                ignore_mismatched_sizes=True,  # a head that was trained for other tags is left aside anyway
                output_loading_info=True,
            )
        except Exception as error:
            raise _broken(folder, error) from error
    _expect_whole(folder, whole, loaded)
    return whole


def _expect_whole(folder: Path, whole: Any, loaded: dict[str, Any]) -> None:
    """transformers draws at random what a file of weights does not hold, or holds in another shape: of the encoder
    nothing may be."""
    names = sorted({*loaded["missing_keys"], *(key for key, *_ in loaded["mismatched_keys"])})
    if drawn := [name for name in names if name.startswith(f"{whole.base_model_prefix}.")]:
        raise XnerError(
            f"encoder folder {folder}: its weights do not hold {drawn[0]} as its config.json describes it"
            f"{f' (and {len(drawn) - 1} more)' if len(drawn) > 1 else ''}; fetch it again"
        )


def _tokenizer(folder: Path) -> Any:
    """Load a tokenizer; a byte-level one must see a space before each word, or words that are split already differ."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if "ByteLevel" in str(tokenizer.backend_tokenizer.pre_tokenizer):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, add_prefix_space=True)
    except Exception as error:
        raise _broken(folder, error) from error
    return tokenizer


def _broken(folder: Path, error: Exception) -> XnerError:
    """transformers, safetensors, tokenizers and json raise many kinds of errors for a broken folder."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return XnerError(f"encoder folder {folder} cannot be loaded: {said[0]}")


class silenced:
    """Keep transformers' load report and bars out of our output: a new head is what we ask for."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.logging = logging
        self.level = logging.get_verbosity()
        self.bars = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        self.logging.set_verbosity(self.level)
        if self.bars:
            self.logging.enable_progress_bar()
