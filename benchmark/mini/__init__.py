"""Corpora and an encoder of our own, so that everything can be tried offline: for learning and testing, not papers."""
