"""The catalogue's cards: one YAML file a data set, its languages inside; suites/ holds the published set-ups."""
