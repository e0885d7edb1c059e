"""Rules that a setting's value must keep, each of which can say in words what it asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from deepxrd.errors import ConfigError

TARGET = "_target_"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Rule(Protocol):
    """What a value must be; its text completes the sentence "give …"."""

    def check(self, key: str, value: Any) -> None:
        """Raise `ConfigError` with the key, the value and the rule unless the value keeps it."""


def refuse(key: str, value: Any, wanted: object) -> ConfigError:
    """The error for a value that breaks a rule."""
    shown = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    return ConfigError(f"{key}={shown}: give {wanted}")


@dataclass(frozen=True)
class Null:
    """Nothing."""

    def __str__(self) -> str:
        return "null"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if value is not None:
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def __str__(self) -> str:
        return "true or false"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, bool):
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Off:
    """False, for none."""

    def __str__(self) -> str:
        return "false"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if value is not False:
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Day:
    """A day as a text; other ways to write one cannot be compared with those of a database, letter by letter."""

    def __str__(self) -> str:
        return "a day such as 2018-01-01"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Text:
    """A text, perhaps one of a few."""

    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"one of {', '.join(self.choices)}" if self.choices else "a text"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, str) or (value not in self.choices if self.choices else not value):
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds, or one of a few others that mean something else, such as −1."""

    low: int
    high: int
    also: tuple[int, ...] = ()

    def __str__(self) -> str:
        others = "".join(f", or {other}" for other in self.also)
        return f"a whole number from {self.low} to {self.high}{others}"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not (self.low <= value <= self.high or value in self.also):
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Among:
    """One of a few whole numbers."""

    choices: tuple[int, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.choices))}"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if isinstance(value, bool) or not isinstance(value, int) or value not in self.choices:
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Real:
    """A finite number within bounds; ``above`` and ``below`` are bounds that it must not reach."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        bounds = [
            (self.low, f"at least {self.low:g}"),
            (self.above, f"above {self.above:g}"),
            (self.high, f"at most {self.high:g}"),
            (self.below, f"below {self.below:g}"),
        ]
        known = [text for bound, text in bounds if math.isfinite(bound)]
        return " ".join(["a finite number", " and ".join(known)]).rstrip()

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not abs(value) < math.inf:
            raise refuse(key, value, self)
        if not (self.low <= value <= self.high and self.above < value < self.below):
            raise refuse(key, value, self)


@dataclass(frozen=True)
class Listed:
    """A list of values that all keep a rule."""

    of: Rule
    at_least: int = 1

    def __str__(self) -> str:
        return f"a list of {self.at_least} or more, of which each is {self.of}"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, list | tuple) or len(value) < self.at_least:
            raise refuse(key, value, self)
        for place, each in enumerate(value):
            self.of.check(f"{key}[{place}]", each)


@dataclass(frozen=True, init=False)
class Either:
    """A value that keeps one of some rules."""

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        object.__setattr__(self, "rules", rules)

    def __str__(self) -> str:
        return ", or ".join(map(str, self.rules))

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        for rule in self.rules:
            try:
                rule.check(key, value)
            except ConfigError as error:
                if isinstance(value, Mapping) and not isinstance(rule, Null):
                    raise  # what is wrong within says more than that the whole is
                last = error
            else:
                return
        raise refuse(key, value, self) from last


@dataclass(frozen=True)
class Group:
    """Settings by name.

    Attributes:
        fields: the rule of each.
        needed: which must be there; of the others what is not there has its default.
        further: whether there may be others, of which nothing is known here.
    """

    fields: Mapping[str, Rule]
    needed: tuple[str, ...] = ()
    further: bool = False

    def __str__(self) -> str:
        return "settings by name, or choose a group of them by its name"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, Mapping):
            raise refuse(key, value, self)
        start = f"{key}." if key else ""
        unknown = [name for name in value if name not in self.fields]
        if unknown and not self.further:
            where = f"of {key}" if key else "at the top"
            msg = f"there is no setting {start}{unknown[0]}: those {where} are {', '.join(self.fields)}"
            raise ConfigError(msg)
        missing = [name for name in self.needed if name not in value]
        if missing:
            msg = f"the setting {start}{missing[0]} is missing: give {self.fields[missing[0]]}"
            raise ConfigError(msg)
        for name, rule in self.fields.items():
            if name in value:
                rule.check(f"{start}{name}", value[name])


@dataclass(frozen=True)
class Part:
    """A class and its arguments; what is known of some classes is checked, a user's own take what they take.

    Attributes:
        kinds: rules of arguments by the class's full name, or by the start of it that ends with a dot.
        may_be_none: whether ``_target_: null`` stands for no such part.
        default: the class where there is no ``_target_``.
    """

    kinds: Mapping[str, Mapping[str, Rule]] = field(default_factory=dict)
    may_be_none: bool = False
    default: str | None = None

    def __str__(self) -> str:
        return "settings with the full name of a class as _target_, or choose a group of them by its name"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, Mapping):
            raise refuse(key, value, self)
        target = value.get(TARGET, self.default)
        if target is None and self.may_be_none:
            return
        if not isinstance(target, str) or "." not in target:
            where = f"{key}.{TARGET}"
            raise refuse(where, target, "the full name of a class, such as mypackage.MyClass")
        known = self.kinds.get(target) or self.kinds.get(f"{target.rpartition('.')[0]}.", {})
        Group(known, further=True).check(key, value)


@dataclass(frozen=True)
class Named:
    """Any number of parts, each under a name of the user's choice."""

    of: Rule

    def __str__(self) -> str:
        return "parts by name"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, Mapping):
            raise refuse(key, value, self)
        for name, each in value.items():
            self.of.check(f"{key}.{name}", each)


@dataclass(frozen=True)
class Loggers:
    """Any number of loggers by name, or, as older runs have it, a single one."""

    def __str__(self) -> str:
        return "loggers by name, such as logger=csv, or logger=[csv,wandb]"

    def check(self, key: str, value: Any) -> None:
        """See `Rule`."""
        if not isinstance(value, Mapping):
            raise refuse(key, value, self)
        (Part() if TARGET in value else Named(Either(Part(), Null()))).check(key, value)
