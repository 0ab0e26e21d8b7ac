"""How long the page takes with many entries: python tests/speed/page.py [--entries N] [--no-evidence]."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import paged
from browsing import browser, opened

from xner_bench.leaderboard import page

CLICK = """async (selector) => {
  const start = performance.now();
  document.querySelector(selector).click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""
TYPE = """async (text) => {
  const start = performance.now(), search = document.getElementById("search");
  search.value = text;
  search.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""


def main() -> None:
    """Print seconds to write, to open, to sort and to filter until all is drawn: medians and the worst of nine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=2000)
    parser.add_argument("--no-evidence", action="store_true")
    given = parser.parse_args()
    section = paged.section(given.entries, evidence=not given.no_evidence)
    start = time.perf_counter()
    files = page.files([section], paged.known())
    print(f"written in {time.perf_counter() - start:.1f} s")
    print(", ".join(f"{name} {len(data) / 1e6:.1f} MB" for name, data in files.items()))
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        start = time.perf_counter()
        with opened(chromium, Path(folder) / "index.html", viewport={"width": 1280, "height": 900}) as found:
            print(f"opened in {time.perf_counter() - start:.1f} s")
            keys = found.page.eval_on_selector_all("thead button", "(all) => all.map((one) => one.dataset.key)")
            sorts = [found.page.evaluate(CLICK, f'thead [data-key="{keys[at % len(keys)]}"]') for at in range(1, 28, 3)]
            filters = [
                found.page.evaluate(TYPE, text) for text in ("h=1", "", "h=19", "", "standard", "", "x", "", "2")
            ]
    for what, times in (("sort", sorts), ("filter", filters)):
        print(f"{what}: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms")


if __name__ == "__main__":
    main()
