"""What the tests share."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xner_bench import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tiny
    from playwright.sync_api import Browser

# Whoever starts the tests in the background may have them ignore Ctrl-C, which processes inherit; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def nerdata() -> Path:
    """Real WikiANN and MasakhaNER, not to be re-hosted: $XNER_TEST_NERDATA, or ../shared/nerdata."""
    default = Path(__file__).parents[1] / ".." / "shared" / "nerdata"
    folder = Path(os.environ.get("XNER_TEST_NERDATA", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set XNER_TEST_NERDATA")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(files.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """A test that asks for a number of threads asks for itself alone: another number rounds otherwise."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    yield
    if before and sys.modules["torch"].get_num_threads() != before:
        sys.modules["torch"].set_num_threads(before)


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> tiny.Folders:
    """Tiny random encoders of every kind, see tests/tiny.py."""
    import tiny

    return tiny.Folders(tmp_path_factory.mktemp("encoders"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, where there is one."""
    import browsing

    with browsing.browser() as found:
        yield found
