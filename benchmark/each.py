"""`--source each`: every target that can be trained on, on itself: a run for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xner_bench.errors import XnerError
from xner_bench.sources import EACH
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xner_bench.catalogue import Catalogue
    from xner_bench.settings import Execution
    from xner_bench.watch import Watch


def languages(
    catalogue: Catalogue, targets: Sequence[str], here: Execution | None = None, watch: Watch = SILENT
) -> list[str]:
    """The targets that have a train split; a line names the others. XnerError where none has one.

    A split whose sentences the card counts is there, and a run that does not find it says so (`here.allow_missing`: it
    is not there unless it can be found). Where no count is known, it is looked for; without `here`, taken to be there.
    """
    found = [target for target in targets if _trained(catalogue, target, here)]
    if not found:
        raise XnerError(
            f"source {EACH}: none of {len(targets)} targets has a train split here ({', '.join(targets)}); "
            "say where the data lies with --data-root DIR, or name a source"
        )
    if left := [target for target in targets if target not in found]:
        watch.note(f"source {EACH}: left out, as they have no train split: {', '.join(left)}")
    return found


def _trained(catalogue: Catalogue, target: str, here: Execution | None) -> bool:
    from xner_bench import hub, places

    card, language = catalogue.language(target)
    if card.bundled or here is None:
        return language.train != 0
    if places.lying(card, language, "train", places.Places(here.data_root, here.cache)):
        return True
    can_come = card.hub is not None and not hub.offline()
    return bool(language.train) and (can_come or not here.allow_missing)
