"""Label smoothing for xner-bench: an example of a third party's method."""
