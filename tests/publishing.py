"""Results with secrets in them, to be published: whatever a record can say of the machine that it was made on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boards import Bench
from click.testing import CliRunner

from xner_bench import cli
from xner_bench.leaderboard import board
from xner_bench.leaderboard.publish import Publication, compose
from xner_bench.results import Missing, ShotsRecord

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run

USER = "zaphod"  # stands in no published file
HOST = "magrathea"
TOKEN = "hf_canaryCanary1234"
COMMAND = (
    *(
        "xner-bench",
        "run",
        "--method",
        "standard",
        "--results",
        f"/home/{USER}/results",
        f"--data-root=/srv/{USER}/ner data",
    ),
    *("--encoder", f"/home/{USER}/enc/model,xlm-roberta-base", "--catalogue", f"../{USER}/cards"),
    *("--grid", f"~{USER}/grid.yaml", "--ray-address", f"ray://{HOST}:10001", "--seed", "42"),
)


def secretive(run: Run) -> Run:
    """The same run, of a machine that can be told from others: all that is changed is in no id."""
    origin = f"file:/srv/{USER}/ner data/one/aa/test.tsv"
    return run.model_copy(
        update={
            "settings": run.settings.model_copy(update={"encoder": f"/home/{USER}/enc/model"}),
            "encoder": run.encoder.model_copy(update={"name": "enc/model"}),
            "data": tuple(one.model_copy(update={"origin": origin}) for one in run.data),
            "few_shot": (
                ShotsRecord(corpus="one:ab", origin=origin, reason=f"one:ab has no train split: not in /srv/{USER}"),
            ),
            "missing": (
                Missing(corpus="one:ac", split="dev", reason=f"one:ac has no dev split: nothing in {USER}/data"),
                Missing(corpus="two:ba", split="dev", reason=f"{USER} hid it"),
            ),
            "resumed": (f"after epoch 2, threads 1 before, 2 now; /home/{USER}/results/epochs: epoch 3 does not fit",),
            "method_facts": {
                "lexicon": f"/home/{USER}/lexicon.txt",
                "mirror": f"https://{USER}:{TOKEN}@{HOST}.example/x",
            },
            "provenance": {
                "command": list(COMMAND),
                "platform": f"Linux-6.1.0-{HOST}-x86_64-with-glibc2.36",
                "host": HOST,
                "user": USER,
                "python": "3.11.7",
                "packages": {"torch": "2.13.0", "xner-bench": "0.1.0"},
                "started": "2026-11-21T20:00:00+00:00",
                "device": "cpu",
            },
        }
    )


def filled(folder: Path) -> Bench:
    """Two entries of two seeds, one of them secretive."""
    bench = Bench(folder)
    for seed in (42, 43):
        bench.store.save_run(secretive(bench.add(seed=seed, scores={"one:ab": (seed, 3, 4)})))
        bench.add("slicer", options={"h": 8, "classifier": "trained", "bias": "per_slice"}, seed=seed)
    return bench


def publication(bench: Bench, for_hub: bool = False) -> Publication:
    return compose(board.build(bench.store, bench.catalogue), bench.catalogue, for_hub)


class Answer(tuple[int, str]):
    """Exit status, and all that was printed."""

    @property
    def status(self) -> int:
        return self[0]

    @property
    def text(self) -> str:
        return self[1]


def call(bench: Bench, to: str | Path, *words: str, env: dict[str, Any] | None = None) -> Answer:
    """`xner-bench leaderboard publish --to ...`, as main() carries it out."""
    arguments = ["leaderboard", "publish", "--to", str(to), *words]
    arguments += ["--results", str(bench.store.root), "--catalogue", str(bench.cards), "--draws", "0"]
    runner = CliRunner(env=env)
    with runner.isolation(env=env) as (out, err, _):
        try:
            cli.main(arguments)
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        return Answer((status, (out.getvalue() + err.getvalue()).decode()))


def tree(folder: Path) -> dict[str, bytes]:
    """Path -> content of all files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def outside_fences(text: str) -> str:
    """Markdown without what is shown as it is, and without escaped brackets; every fence ends."""
    kept, fence = [], ""
    for line in text.splitlines():
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = "`" * (len(line) - len(line.lstrip("`")))
        else:
            kept.append(line)
    assert not fence
    return "\n".join(kept).replace("\\<", "").replace("\\[", "")
