"""Standard fine-tuning: the baseline that every other method is a difference from."""

from __future__ import annotations

from xner_bench.method import Method


class Standard(Method):
    """Standard fine-tuning: one linear layer on the last states, cross-entropy over words, everything trained.

    With x the state of a word's first subword (D), W (C, D) and b (C): logits = W x + b, loss = mean over words of
    cross-entropy(logits, tag). It is what transformers' token-classification models and `run_ner.py` do.
    """
