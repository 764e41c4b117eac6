"""Conditions for "is one of these": one array as parameter, so that a statement stays prepared for any number."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, any_, bindparam, func, select, tuple_


def among(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values."""
    return column == any_(_array(column, sorted(values, key=_order)))


def pairs_among(columns: Sequence[ColumnElement[Any]], keys: Iterable[tuple[Any, ...]]) -> ColumnElement[bool]:
    """Return the condition that columns together have one of these keys, each a value for every column."""
    ordered = sorted(keys)
    arrays = [_array(column, [key[place] for key in ordered]) for place, column in enumerate(columns)]
    names = [f"key_{place}" for place in range(len(columns))]
    given = func.unnest(*arrays).table_valued(*names).render_derived()
    return tuple_(*columns).in_(select(*[given.c[name] for name in names]))


def among_given(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values that a prepared statement is given by this name."""
    return column == any_(bindparam(name, type_=ARRAY(column.type)))


def pairs_among_given(columns: Sequence[ColumnElement[Any]], names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that columns together have one of the keys that are given as one array for each column."""
    arrays = [bindparam(name, type_=ARRAY(column.type)) for column, name in zip(columns, names, strict=True)]
    given = func.unnest(*arrays).table_valued(*(f"{name}_key" for name in names)).render_derived()
    return tuple_(*columns).in_(select(*given.c))


def _array(column: ColumnElement[Any], values: list[Any]) -> Any:
    return bindparam(None, values, type_=ARRAY(column.type), unique=True)


def _order(value: Any) -> Any:
    return value.int if isinstance(value, UUID) else value
