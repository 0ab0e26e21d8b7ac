"""`python -m xner_bench` is the command `xner-bench`."""

from xner_bench.cli import main

main()
