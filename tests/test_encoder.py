"""Encoders: found, fetched once, loaded without running anything of theirs, and measured rightly."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
import torch
import transformers
from hubserver import HubServer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from xner_bench import batches, encode
from xner_bench.encoder import MINI, Encoder, Pretrained, configuration, find, silenced, sizes
from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = tuple(tiny.KINDS)
REPO = "owner/tiny"
# What a child process does: find the encoders named on its command line (NAME or NAME@REVISION), say what came of it.
CHILD = """
import json, sys
from xner_bench.encoder import find
from xner_bench.errors import XnerError
for asked in sys.argv[1:]:
    name, _, revision = asked.partition("@")
    try:
        found = find(name, revision or None)
        print(json.dumps([found.name, found.revision, str(found.folder), found.fingerprint()]))
    except XnerError as error:
        print(json.dumps(str(error)))
"""


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "run")


@pytest.fixture
def copied(encoders: tiny.Folders, tmp_path: Path) -> Path:
    """A tiny BERT that a test may spoil."""
    return Path(shutil.copytree(encoders["bert"], tmp_path / "copied"))


@pytest.fixture
def served(encoders: tiny.Folders) -> Iterator[HubServer]:
    """A hub with a whole encoder, one with pickled weights only, and much that nobody asks for."""
    whole = {path.name: path.read_bytes() for path in encoders["xlmr"].iterdir()}
    beside = {
        "README.md": b"# tiny",
        "modeling.py": b"raise SystemExit",
        "pytorch_model.bin": b"x",
        "onnx/model.onnx": b"x",
    }
    pickled = {name: data for name, data in whole.items() if not name.endswith(".safetensors")}
    repositories = {REPO: {**whole, **beside}, "owner/pickled": {**pickled, "pytorch_model.bin": b"x"}}
    with HubServer(repositories) as running:
        yield running


def child(*asked: str, home: Path, endpoint: str, offline: bool = False) -> list[Any]:
    """Find encoders in a process of its own: huggingface_hub reads its settings when it is imported."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    env |= {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "1" if offline else "0"}
    env |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", CHILD, *asked], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_repository_is_fetched_once_at_its_commit_and_then_needs_no_hub(served: HubServer, tmp_path: Path) -> None:
    [first] = child(REPO, home=tmp_path, endpoint=served.address)
    name, revision, folder, fingerprint = first
    assert (name, revision) == (REPO, served.commits[REPO])
    assert re.fullmatch("[0-9a-f]{40}", revision)
    names = {path.name for path in Path(folder).iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert not any(request.endswith((".py", ".bin", ".onnx", ".md")) for request in served.requests)
    asked = len(served.requests)
    served.push(REPO, {"model.safetensors": b"newer"})
    assert child(REPO, home=tmp_path, endpoint=served.address) == [first]
    assert child(REPO, home=tmp_path, endpoint=served.address, offline=True) == [first]
    assert len(served.requests) == asked
    loaded = Encoder(Pretrained(name, Path(folder), revision), tiny.TAGS)
    assert loaded.pretrained.fingerprint() == fingerprint


def test_a_revision_is_what_was_asked_for(served: HubServer, tmp_path: Path) -> None:
    old = served.commits[REPO]
    served.push(REPO, {"config.json": served.repositories[REPO]["config.json"] + b"\n"})
    new = served.commits[REPO]
    unknown = f"{REPO}@{'0' * 40}"
    first, second, missing = child(f"{REPO}@{old}", REPO, unknown, home=tmp_path, endpoint=served.address)
    assert (first[1], second[1]) == (old, new)
    assert first[3] != second[3]
    assert missing.startswith(f"encoder '{REPO}' has no revision '{'0' * 40}' on the hub")


def test_what_the_hub_does_not_have_or_we_do_not_load_is_said(served: HubServer, tmp_path: Path) -> None:
    wrong, odd, pickled = child(
        "xlm-roberta-bsae", "not a name", "owner/pickled", home=tmp_path, endpoint=served.address
    )
    assert wrong.startswith("no encoder is called 'xlm-roberta-bsae'; did you mean 'xlm-roberta-base'")
    assert odd.startswith("no encoder is called 'not a name'")
    assert "has no *.safetensors; pickled weights are not loaded" in pickled
    assert not any(request.endswith(".bin") for request in served.requests)


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_hub_the_next_step_is_a_folder(offline: bool, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"  # the discard port: nothing listens
    [said] = child("xlm-roberta-bse", home=tmp_path, endpoint=nobody, offline=offline)
    assert said.startswith("encoder 'xlm-roberta-bse' is not on this machine and the hub cannot be reached")
    assert "--encoder DIR" in said and "'xlm-roberta-base'" in said and "\n" not in said


def test_a_fetch_that_broke_off_is_taken_up_again(served: HubServer, tmp_path: Path) -> None:
    [first] = child(REPO, home=tmp_path, endpoint=served.address)
    (Path(first[2]) / "model.safetensors").unlink()
    assert child(REPO, home=tmp_path, endpoint=served.address) == [first]


def test_the_mini_encoder_is_in_the_package() -> None:
    found = find(MINI)
    assert (found.name, found.revision) == (MINI, None)


def test_a_folder_has_its_own_name_or_says_whose_checkpoint_it_is(encoders: tiny.Folders, tmp_path: Path) -> None:
    assert find(str(encoders["bert"])) == Pretrained("bert", encoders["bert"], None)
    kept = Path(shutil.copytree(encoders["bert"], tmp_path / "run-1" / "checkpoint"))
    assert find(str(kept)).name == "run-1/checkpoint"


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/no-such-encoder", "a/b/c"])
def test_a_folder_that_is_not_there_is_no_name_of_the_hub(name: str) -> None:
    with pytest.raises(XnerError, match=rf"^no encoder folder {name}; give a folder with"):
        find(name)


@pytest.mark.parametrize("lost", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_with_a_file_missing_is_refused(lost: str, copied: Path) -> None:
    (copied / lost).unlink()
    with pytest.raises(XnerError, match=rf"has no (\*\.safetensors|{lost})"):
        find(str(copied))


def test_a_shard_that_is_missing_is_named(copied: Path) -> None:
    index = {"metadata": {}, "weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with pytest.raises(XnerError, match=r"has no model-2\.safetensors, which its index of weights names"):
        find(str(copied))


@pytest.mark.parametrize("harmless", [True, False])
def test_pickled_weights_are_never_opened(harmless: bool, copied: Path, tmp_path: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    (copied / "model.safetensors").unlink()
    if harmless:
        torch.save(weights, copied / "pytorch_model.bin")
    else:
        (copied / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "run")))
    with pytest.raises(XnerError, match=r"pickled weights are not loaded, convert them first$"):
        find(str(copied))
    with pytest.raises(XnerError, match="cannot be loaded"):
        Encoder(Pretrained("copied", copied, None), tiny.TAGS)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model_type", ["bert", "their-own"])
def test_code_that_comes_with_an_encoder_is_not_run(model_type: str, copied: Path, tmp_path: Path) -> None:
    code = f"from pathlib import Path\nPath({str(tmp_path / 'run')!r}).write_text('run')\n"
    (copied / "theirs.py").write_text(code, "utf-8")
    classes = {"AutoConfig": "theirs.C", "AutoModel": "theirs.M", "AutoModelForTokenClassification": "theirs.M"}
    for name, changed in {
        "config.json": {"auto_map": classes, "model_type": model_type},
        "tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["theirs.T", "theirs.T"]}},
    }.items():
        settings = json.loads((copied / name).read_text("utf-8"))
        (copied / name).write_text(json.dumps({**settings, **changed}), "utf-8")
    pretrained = find(str(copied))
    if model_type == "bert":
        assert Encoder(pretrained, tiny.TAGS).transformer.__class__.__name__ == "BertModel"
    else:
        with pytest.raises(XnerError, match="cannot be loaded"):
            Encoder(pretrained, tiny.TAGS)
        with pytest.raises(XnerError, match="cannot be loaded"):
            configuration(pretrained)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00 no such thing", b"[1, 2]"])
def test_a_broken_file_is_an_error_of_one_line(name: str, content: bytes, copied: Path) -> None:
    (copied / name).write_bytes(content)
    with pytest.raises(XnerError, match=r"^encoder folder .* cannot be loaded: ") as error:
        Encoder(Pretrained("copied", copied, None), tiny.TAGS)
    assert "\n" not in str(error.value)


def test_weights_of_half_precision_are_trained_in_full(copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    half = {name: value.to(torch.bfloat16) for name, value in weights.items()}
    save_file(half, copied / "model.safetensors", {"format": "pt"})
    config = json.loads((copied / "config.json").read_text("utf-8"))
    (copied / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}), "utf-8")
    loaded = Encoder(find(str(copied)), tiny.TAGS)
    assert {parameter.dtype for parameter in loaded.whole.parameters()} == {torch.float32}


def test_nothing_of_an_encoder_is_drawn_at_random(copied: Path) -> None:
    """transformers would do so for every tensor that the file of weights lacks, or has in another shape."""
    path = copied / "model.safetensors"
    weights = load_file(path)
    lost = next(name for name in weights if name.endswith("attention.self.query.weight"))
    for changed in ({}, {lost: weights[lost][:-1].clone()}):
        save_file({name: value for name, value in weights.items() if name != lost} | changed, path, {"format": "pt"})
        with pytest.raises(XnerError, match=rf"its weights do not hold \S*{re.escape(lost)} as") as error:
            Encoder(find(str(copied)), tiny.TAGS)
        assert "\n" not in str(error.value)


def test_an_index_of_weights_that_is_none_is_one_line(copied: Path) -> None:
    (copied / "model.safetensors.index.json").write_text("[]", "utf-8")
    with pytest.raises(XnerError, match=r"model\.safetensors\.index\.json is no index of weights; fetch it again$"):
        find(str(copied))


def test_a_head_for_other_tags_is_left_aside(copied: Path) -> None:
    other = Encoder(find(str(copied)), ("O", "B-MISC", "I-MISC"))
    with silenced():
        other.whole.save_pretrained(copied)
    again = Encoder(find(str(copied)), tiny.TAGS)
    assert again.whole.classifier.out_features == len(tiny.TAGS)
    assert again.config.id2label == dict(enumerate(tiny.TAGS))
    assert torch.equal(again.transformer.get_input_embeddings().weight, other.transformer.get_input_embeddings().weight)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_head_must_know(kind: str, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    assert encoder.sizes(0.25) == (tiny.HIDDEN, tiny.DEPTH, 0.25, 0.2)
    assert sizes(configuration(encoder.pretrained), 0.25) == encoder.sizes(0.25)
    assert encoder.pad == (1 if "roberta" in encoder.config.model_type else 0)
    assert encoder.parameters == sum(parameter.numel() for parameter in encoder.transformer.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_window_fits_and_is_used_whole(kind: str, encoders: tiny.Folders) -> None:
    encoder = encoders.load(kind)
    assert encoder.room == tiny.LENGTH
    given = encode.encode([("Kano",) * 500], tiny.subwords(encoder, 10_000))
    lengths = np.diff(given.windows)
    assert tiny.LENGTH - 3 <= lengths.max() <= tiny.LENGTH
    tagger = tiny.tagger_for(encoder)
    with torch.inference_mode():
        decoded = tagger.decode(batches.lay_out(given, np.arange(given.n_windows), False))
    assert len(decoded) == 500


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("said", "room"), [(32, 32), (10_000, tiny.LENGTH), (None, tiny.LENGTH)])
def test_the_tokenizer_may_say_less_than_the_positions_allow(
    said: int | None, room: int, kind: str, encoders: tiny.Folders, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(encoders[kind], tmp_path / kind))
    path = folder / "tokenizer_config.json"
    settings = {**json.loads(path.read_text("utf-8")), "model_max_length": said}
    path.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}), "utf-8")
    assert Encoder(find(str(folder)), tiny.TAGS).room == room


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokenizer_is_that_of_its_file(kind: str, encoders: tiny.Folders) -> None:
    """transformers builds some tokenizers anew; what comes out must be what tokenizer.json says."""
    encoder = encoders.load(kind)
    file = Tokenizer.from_file(str(encoders[kind] / "tokenizer.json"))
    ours = tiny.subwords(encoder).tokenizer
    ordinary = (line.split() for line in (*tiny.TEXT, *tiny.NASTY) if line not in tiny.SPECIAL)
    for words in filter(None, ordinary):
        text = " " + " ".join(words)  # a space before the first word: byte-level tokenizers need it
        assert ours.encode(words, is_pretokenized=True).ids == file.encode(text).ids


def test_the_tokenizer_of_xlm_roberta_is_that_of_its_file(tmp_path: Path) -> None:
    text = json.dumps({**json.loads(tiny.trained("unigram")), "normalizer": None})
    folder = tiny.write("xlmr", tmp_path / "xlmr", text)
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**settings, "tokenizer_class": "XLMRobertaTokenizer"}), "utf-8"
    )
    encoder = Encoder(find(str(folder)), tiny.TAGS)
    assert type(encoder.tokenizer).__name__ == "XLMRobertaTokenizer"
    for line in tiny.TEXT:
        ids = tiny.subwords(encoder).tokenizer.encode(line.split(), is_pretokenized=True).ids
        assert ids == Tokenizer.from_str(text).encode(line).ids


def test_a_fingerprint_is_of_the_content_wherever_it_lies(encoders: tiny.Folders, copied: Path) -> None:
    original = find(str(encoders["bert"])).fingerprint()
    (copied / "README.md").write_text("whatever", "utf-8")
    (copied / "tokenizer").mkdir()
    assert find(str(copied)).fingerprint() == original
    seen = {original}
    for name in ("tokenizer_config.json", "tokenizer.json", "config.json", "model.safetensors"):
        path = copied / name
        path.write_bytes(path.read_bytes() + b"\n")
        seen.add(find(str(copied)).fingerprint())
    assert len(seen) == 5


def test_the_silence_ends_where_it_should() -> None:
    before = transformers.logging.get_verbosity()
    with pytest.raises(KeyError), silenced():
        raise KeyError
    assert transformers.logging.get_verbosity() == before


def test_the_encoder_has_no_pooler_and_the_weights_of_the_folder(encoders: tiny.Folders) -> None:
    encoder = encoders.load("bert")
    weights = load_file(encoders["bert"] / "model.safetensors")
    own = encoder.transformer.state_dict()
    assert not any("pooler" in name for name in own)
    assert all(torch.equal(value, weights[name]) for name, value in own.items() if name in weights)
    assert set(own) <= set(weights)
