"""Where in a document a place is: line and column of each field, and the place that msgspec complains of."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

_SAID: Final = re.compile(r"^(?P<words>.*?)(?: - at (?:`key` in )?`(?P<place>[^`]*)`)?$", re.DOTALL)
_ANY_ITEM: Final = "[...]"


class Marks:
    """Lines and columns, counted from 1, of every field and item of a YAML text."""

    def __init__(self, written: str) -> None:
        node = yaml.compose(written, Loader=yaml.SafeLoader)
        self._found: dict[str, str] = dict(_marks(node, "$")) if node is not None else {}

    def at(self, place: str) -> str:
        """Return ``line:column`` of a place; of what is around it where it is not there."""
        while place not in self._found and len(place) > 1:
            place = place[: max(place.rfind("."), place.rfind("["))]
        return self._found.get(place, "1:1")


def _marks(node: yaml.Node, place: str) -> Iterator[tuple[str, str]]:
    yield place, f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{place}.{key.value}"
            yield from _marks(value, inner)
            yield inner, f"{key.start_mark.line + 1}:{key.start_mark.column + 1}"
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _marks(value, f"{place}[{number}]")


def whereabouts(written: Any, error: msgspec.ValidationError, kind: type[Any]) -> tuple[str, str]:
    """Return the place that an error speaks of, and its words. msgspec leaves out which item of a list it is."""
    found = _SAID.match(str(error))
    assert found is not None, "the pattern matches everything"
    place = found["place"] or "$"
    while _ANY_ITEM in place:
        before = place.split(_ANY_ITEM, 1)[0]
        place = place.replace(_ANY_ITEM, f"[{_first_wrong(written, before, str(error), kind)}]", 1)
    return place, " ".join(found["words"].split())


def _first_wrong(written: Any, place: str, said: str, kind: type[Any]) -> int:
    """Return the first item with which the list at ``place`` gives this error: the lists before it are right."""
    items = _get(written, place)
    for number in range(len(items)):
        try:
            msgspec.convert(_with(written, _steps(place), items[: number + 1]), kind)
        except msgspec.ValidationError as error:
            if str(error) == said:
                return number
    return 0


def _steps(place: str) -> list[str | int]:
    return [int(number) if number else name for name, number in re.findall(r"\.([^.\[]+)|\[(\d+)\]", place)]


def _get(value: Any, place: str) -> Any:
    for step in _steps(place):
        value = value[step]
    return value


def _with(value: Any, steps: list[str | int], replacement: Any) -> Any:
    """Return a copy in which what stands at the end of ``steps`` is another one; lists end at the step taken."""
    if not steps:
        return replacement
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        return [*value[:step], _with(value[step], rest, replacement)]
    return {**value, step: _with(value[step], rest, replacement)}
