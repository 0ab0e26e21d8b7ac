"""Method name -> class, imported on demand: the built-in table and other distributions' entry points alike.

A third party adds a method with one entry point in the group `xner_bench.methods` and one subclass of `Method`.
"""

from __future__ import annotations

import importlib
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Any, Literal, get_origin

from xner_bench.compose import combined
from xner_bench.errors import UnknownName, XnerError
from xner_bench.fields import flag, plain
from xner_bench.method import Method
from xner_bench.methods import BUILTIN
from xner_bench.settings import Execution, RunSettings, Training

GROUP = "xner_bench.methods"
# Names that the command line uses itself; a test holds this list against the real flags of `xner-bench run`.
RESERVED = frozenset(
    name.replace("-", "_")
    for name in (
        *RunSettings.model_fields,
        *Training.model_fields,
        *Execution.model_fields,
        *("help", "version", "profile", "seeds", "dry_run", "as_yaml", "quiet"),
        *("grid", "from_study", "workers", "retry", "executor", "ray_address", "gpus_per_run", "cpus_per_run"),
        *("trials", "sampler", "sampler_seed", "pruner", "timeout", "study", "objective"),  # of `xner-bench search`
    )
)
BUILT_IN = "built in"
BASELINE = "standard"
PLUS = "+"  # between methods that are combined


@dataclass(frozen=True)
class Entry:
    """One way in which a name can be met: where it comes from and what it points to."""

    name: str
    origin: str  # "built in", or distribution and version
    target: str  # "module:Class"

    def load(self) -> type[Method]:
        """Import the class and hold it against the contract; XnerError says whose fault it is."""
        try:
            found = EntryPoint(self.name, self.target, GROUP).load()
        except (
            Exception,
            SystemExit,
        ) as error:  # whatever a stranger's module raises must not stop the others
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            raise XnerError(f"method {self.name!r} of {self.origin} cannot be imported: {said}") from error
        return _checked(self, found)


@dataclass(frozen=True)
class Listed:
    """A line of `xner-bench methods`: the class, or what is wrong with it."""

    name: str
    origin: str
    method: type[Method] | None
    problem: str = ""

    @property
    def summary(self) -> str:
        """First line of the method's docstring."""
        return summary(self.method) if self.method else self.problem


def summary(method: type[Method]) -> str:
    """First line of a method's docstring."""
    return (method.__doc__ or "").strip().partition("\n")[0]


def names() -> list[str]:
    """Names of all methods, built in and installed."""
    return sorted(_entries())


def load(name: str) -> type[Method]:
    """The class of a method, or of several as one ("crf+prune"); what is unknown, clashes or is broken is an error that
    says what to do."""
    return _combined(canonical(name)) if PLUS in name else _load(name)


def canonical(name: str) -> str:
    """The one name of methods that are combined, in whatever order they were given: "prune+crf" is "crf+prune"."""
    parts = sorted(part.strip() for part in name.split(PLUS))
    if "" in parts and PLUS in name:
        raise XnerError(f"method {name!r} has an empty place beside its {PLUS}; give a name there, or leave it out")
    if twice := next((part for part, after in pairwise(parts) if part == after), None):
        raise XnerError(f"method {name!r} has {twice!r} twice; give each once")
    changing = [part for part in parts if part != BASELINE]  # everything is a difference from it anyway
    return PLUS.join(changing or parts)


def known(name: str) -> bool:
    """Whether a method, or every one of those that are combined, is here."""
    return all(part in _entries() for part in name.split(PLUS))


@cache
def _combined(name: str) -> type[Method]:
    parts = {part: _load(part) for part in name.split(PLUS)}
    return combined(name, parts) if len(parts) > 1 else parts[name]


def _load(name: str) -> type[Method]:
    entries = _entries()
    if name not in entries:
        raise UnknownName("method", name, entries)
    return _only(entries[name]).load()


def defaults(name: str) -> dict[str, Any]:
    """What a method's options are by themselves; nothing where the method is not here, or is broken."""
    try:
        fields = load(name).model_fields
    except XnerError:
        return {}
    return {
        option: field.get_default(call_default_factory=True, validated_data={})
        for option, field in fields.items()
        if not field.is_required()
    }


def origin(name: str) -> str:
    """Where a method comes from: "built in", or distribution and version; of combined ones each that is another's."""
    origins = dict.fromkeys(_only(_entries()[part]).origin for part in name.split(PLUS))
    return " and ".join(one for one in origins if one != BUILT_IN) or BUILT_IN


def listing() -> list[Listed]:
    """Every method, also the broken ones, by name."""
    return [_listed(name, found) for name, found in sorted(_entries().items())]


def make(name: str, options: dict[str, Any]) -> Method:
    """A method with its options; wrong ones are an error in the words of the command line."""
    from pydantic import ValidationError

    cls = load(name)
    try:
        made = cls(**options)
    except ValidationError as error:
        raise XnerError("; ".join(_complaint(cls, name, problem) for problem in error.errors())) from error
    for field, value in made:
        if isinstance(value, float) and not math.isfinite(value):  # a run's id is made of JSON, which has none
            raise XnerError(f"{flag(field)} {value} is no finite number; give one")
    return made


def option_types(cls: type[Method]) -> dict[str, Any]:
    """Field -> its plain type: bool, int, float, str or a Literal; an Optional is unwrapped."""
    return {name: plain(field.annotation)[0] for name, field in cls.model_fields.items()}


@cache
def _entries() -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {name: [Entry(name, BUILT_IN, target)] for name, target in BUILTIN.items()}
    for point in entry_points(group=GROUP):
        where = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
        entry = Entry(point.name, where, point.value)
        if entry not in found.setdefault(point.name, []):  # a distribution may be seen twice on sys.path
            found[point.name].append(entry)
    return found


def _only(entries: list[Entry]) -> Entry:
    if len(entries) > 1:
        owners = " and ".join(entry.origin for entry in entries)
        others = [entry.origin for entry in entries if entry.origin != BUILT_IN]
        raise XnerError(f"method {entries[0].name!r} is claimed by {owners}; uninstall or rename {' or '.join(others)}")
    return entries[0]


def _listed(name: str, entries: list[Entry]) -> Listed:
    where = " and ".join(entry.origin for entry in entries)
    try:
        return Listed(name, where, _only(entries).load())
    except XnerError as error:
        return Listed(name, where, None, str(error))


def _checked(entry: Entry, found: object) -> type[Method]:
    whose = f"method {entry.name!r} of {entry.origin}"
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise XnerError(f"{whose}: {entry.target} is not a subclass of xner_bench.method.Method")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", entry.name):
        raise XnerError(f"{whose}: a method's name is lower-case letters, digits and hyphens")
    if clash := sorted(RESERVED & found.model_fields.keys()):
        raise XnerError(
            f"{whose}: option {flag(clash[0])} is a flag of xner-bench itself; rename the field {clash[0]!r}"
        )
    for field, kind in option_types(found).items():
        if kind not in (bool, int, float, str) and get_origin(kind) is not Literal:
            raise XnerError(
                f"{whose}: field {field!r} must be bool, int, float, str or a Literal to be a flag, not {kind}"
            )
    return found


def _complaint(cls: type[Method], name: str, problem: Any) -> str:
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        own = ", ".join(flag(known) for known in cls.model_fields) or "none"
        return f"method {name!r} has no option {flag(field)}; its options: {own}"
    return f"{flag(field) if field else name}: {problem['msg']} (got {problem['input']!r})"


def reload() -> None:
    """Forget what was found, after a distribution was installed or removed while this process runs."""
    importlib.invalidate_caches()
    _entries.cache_clear()
    _combined.cache_clear()
