"""Corpora and an encoder made by this project, so that everything can be tried offline: for learning and testing, not for papers."""
