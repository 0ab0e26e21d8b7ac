"""xner-bench: a benchmark suite for cross-lingual named entity recognition."""
