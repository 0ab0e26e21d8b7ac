"""Which checkpoint answers which target: selection by dev scores alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xner_bench.protocol import MEAN, PROTOCOLS, answers, best_epoch, select, targets_of, wanted

SOURCE = "wikiann:en"
NAMES = (SOURCE, "wikiann:sw", "wikiann:am", "masakhaner:hau")

score = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 0.5, 0.75, 1.0]))
dev_scores = st.dictionaries(st.integers(1, 12), st.dictionaries(st.sampled_from(NAMES), score), min_size=1, max_size=8)
targets = st.lists(st.sampled_from(NAMES), unique=True, max_size=4)


def test_each_protocol_by_its_rule() -> None:
    dev = {
        1: {SOURCE: 0.7, "wikiann:sw": 0.6, "wikiann:am": 0.1},
        2: {SOURCE: 0.9, "wikiann:sw": 0.5, "wikiann:am": 0.3},
        3: {SOURCE: 0.8, "wikiann:sw": 0.4, "wikiann:am": 0.2},
    }
    found = select(dev, SOURCE, (SOURCE, "wikiann:sw", "wikiann:am"))
    assert found == {
        "last": {SOURCE: 3, "wikiann:sw": 3, "wikiann:am": 3},
        "source-dev": {SOURCE: 2, "wikiann:sw": 2, "wikiann:am": 2},
        "average": dict.fromkeys((SOURCE, "wikiann:sw", "wikiann:am"), MEAN),
        "oracle": {SOURCE: 2, "wikiann:sw": 1, "wikiann:am": 2},
    }
    assert wanted(found) == {MEAN, 1, 2, 3}
    assert targets_of(found, 1) == ["wikiann:sw"]
    for every in (2, MEAN):
        assert targets_of(found, every) == [SOURCE, "wikiann:sw", "wikiann:am"]
    assert answers(found, SOURCE, 2) == ["source-dev", "oracle"]
    assert answers(found, "wikiann:sw", 3) == ["last"]
    assert answers(found, "wikiann:sw", MEAN) == ["average"]


def test_the_mean_of_one_epoch_is_that_epoch() -> None:
    found = select({1: {}}, SOURCE, (SOURCE,))
    assert found["average"] == {SOURCE: 1}
    assert answers(found, SOURCE, 1) == ["last", "average"]


def test_the_earlier_of_two_equal_epochs_wins_whatever_their_order() -> None:
    assert best_epoch({1: {SOURCE: 0.5}, 2: {SOURCE: 0.8}, 3: {SOURCE: 0.8}}, SOURCE) == 2
    assert best_epoch({3: {SOURCE: 0.8}, 2: {SOURCE: 0.8}, 1: {SOURCE: 0.5}}, SOURCE) == 2


def test_a_score_of_nothing_is_a_score_and_an_undefined_one_is_none() -> None:
    assert best_epoch({1: {SOURCE: None}, 2: {SOURCE: 0.0}}, SOURCE) == 2
    assert best_epoch({1: {SOURCE: None}, 2: {}}, SOURCE) is None


def test_a_target_without_dev_has_no_oracle_but_the_others_answer() -> None:
    found = select({1: {SOURCE: 0.5}, 2: {SOURCE: 0.4}}, SOURCE, ("wikiann:sw",))
    assert found == {
        "last": {"wikiann:sw": 2},
        "source-dev": {"wikiann:sw": 1},
        "average": {"wikiann:sw": MEAN},
        "oracle": {},
    }


def test_without_the_sources_dev_all_others_answer() -> None:
    found = select({1: {"wikiann:sw": 0.5}, 2: {"wikiann:sw": None}}, SOURCE, ("wikiann:sw", "wikiann:am"))
    assert found["source-dev"] == {}
    assert found["oracle"] == {"wikiann:sw": 1}
    assert found["last"] == {"wikiann:sw": 2, "wikiann:am": 2}


@given(dev_scores, targets)
def test_selection_keeps_its_rules(dev: dict[int, dict[str, float | None]], asked: list[str]) -> None:
    found = select(dev, SOURCE, asked)
    assert tuple(found) == PROTOCOLS
    assert found["last"] == {target: max(dev) for target in asked}
    assert found["average"] == dict.fromkeys(asked, MEAN if len(dev) > 1 else max(dev))
    for target in asked:
        for protocol, corpus in (("source-dev", SOURCE), ("oracle", target)):
            scores = {epoch: s for epoch, by in dev.items() if (s := by.get(corpus)) is not None}
            chosen = found[protocol].get(target)  # type: ignore[index]  # the two literals are protocols
            if not scores:
                assert chosen is None
            else:
                best = max(scores.values())
                assert chosen == min(epoch for epoch, s in scores.items() if s == best)


@given(dev_scores, targets)
def test_what_is_wanted_is_what_answers(dev: dict[int, dict[str, float | None]], asked: list[str]) -> None:
    found = select(dev, SOURCE, asked)
    assert wanted(found) <= {MEAN, *dev}
    for protocol in PROTOCOLS:  # every answer is given once, by the checkpoint that was chosen
        for target in asked:
            epochs = [epoch for epoch in wanted(found) if protocol in answers(found, target, epoch)]
            assert epochs == [found[protocol][target]] if target in found[protocol] else epochs == []
    for epoch in wanted(found):
        answered = targets_of(found, epoch)
        assert answered and len(answered) == len(set(answered))
        assert set(answered) == {target for target in asked if answers(found, target, epoch)}


@given(dev_scores, targets)
def test_a_checkpoint_that_was_dropped_is_never_wanted_later(
    dev: dict[int, dict[str, float | None]], asked: list[str]
) -> None:
    """Epochs come one after another; after each only the wanted are kept."""
    kept: set[int] = set()
    so_far: dict[int, dict[str, float | None]] = {}
    for epoch in sorted(dev):
        so_far[epoch] = dev[epoch]
        kept = (kept | {epoch}) & wanted(select(so_far, SOURCE, asked))
    assert kept == wanted(select(dev, SOURCE, asked)) - {MEAN}
