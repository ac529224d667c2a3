"""What studies and series tell, and are found by: values of instances that are there, and of no others.

The first instance's values stand, a later one's where those were absent or empty. When an instance goes, what
it alone has told goes with it: another patient's name, or what a stricter configuration lets through no more.

All functions take part in the caller's transaction.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.store.sqlite import matching, metadata
from daemon.store.sqlite.prepared import written
from dicomweb.attributes import DEFAULTS, tags_of
from dicomweb.describe import KEY_TAGS, LEVEL_TAGS, keys_of, level_of
from dicomweb.links import attributes_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from dicomweb.ports import Level

    Attributes = dict[str, Any]

_DEFAULT_TAGS: Final[Mapping[Level, frozenset[str]]] = {
    level: frozenset(tags_of(keywords)) for level, keywords in DEFAULTS.items()
}
_ASKED: Final = 64
"""Instances that are asked whether they tell the same as one that has gone."""
_NEWEST: Final[Mapping[Level, str]] = {
    "series": "SELECT id FROM instances WHERE series_id = ?1 ORDER BY id DESC LIMIT ?3",
    # The last of each series, first of that which it has left: nobody sorts thousands each time that one goes.
    "study": "SELECT (SELECT max(id) FROM instances WHERE series_id = e.id) AS last FROM series e"
    " WHERE study_id = ?1 ORDER BY id = ?2 DESC, last DESC LIMIT ?3",
}
_EVERYONE: Final[Mapping[Level, str]] = {
    "series": "SELECT id FROM instances WHERE series_id = ?1 ORDER BY id DESC",
    "study": "SELECT i.id FROM series e CROSS JOIN instances i ON i.series_id = e.id"
    " WHERE e.study_id = ?1 ORDER BY i.id DESC",
}


def read(connection: sqlite3.Connection, level: Level, row_id: int) -> Attributes:
    """Return what a study or series tells, by tag; nothing of a new one."""
    row = connection.execute(
        f"SELECT attributes FROM {level}_json WHERE id = ?",  # noqa: S608 - fixed names
        (row_id,),
    ).fetchone()
    return {} if row is None else orjson.loads(row[0])


def write(
    connection: sqlite3.Connection, level: Level, row_id: int, attributes: Mapping[str, Any]
) -> None:
    """Let a study or series tell this."""
    connection.execute(
        f"INSERT INTO {level}_json (id, defaults, attributes) VALUES (?1, ?2, ?3)"  # noqa: S608 - fixed names
        " ON CONFLICT DO UPDATE SET defaults = ?2, attributes = ?3",
        (row_id, defaults(level, attributes), written(attributes)),
    )


def defaults(level: Level, attributes: Mapping[str, Any]) -> bytes:
    """Return the prepared object of what is answered unasked."""
    wanted = _DEFAULT_TAGS[level]
    return written({tag: element for tag, element in attributes.items() if tag in wanted})


def supplement(
    connection: sqlite3.Connection,
    level: Level,
    row_id: int,
    attributes: Attributes,
    own: Mapping[str, Any],
) -> None:
    """Take from an instance, of the attributes of the level, what was absent or empty in those before it."""
    is_new = not attributes
    taken = {
        tag: element
        for tag, element in own.items()
        if tag not in attributes or (_has_value(element) and not _has_value(attributes[tag]))
    }
    attributes |= taken
    if not is_new:  # else the row has been made with its keys
        _write_keys(connection, level, row_id, attributes, taken)


def forget(
    connection: sqlite3.Connection,
    level: Level,
    row_id: int,
    attributes: Attributes,
    left: bytes,
    series_id: int,
) -> None:
    """Take back what an instance that is not there any more, and none of those that are asked, has told.

    Parameters
    ----------
    left
        Its metadata; empty where they cannot be read any more, so that it may have told everything.
    series_id
        Where it was.
    """
    own = attributes.keys() & set(LEVEL_TAGS[level])
    if left:
        told = level_of(_attributes(left), level)
        own = {tag for tag in own if told.get(tag) == attributes[tag]}
    asked = connection.execute(_NEWEST[level], (row_id, series_id, _ASKED))
    _prove(connection, level, row_id, attributes, own, asked.fetchall())


def prove_all(connection: sqlite3.Connection, level: Level, row_id: int) -> None:
    """Take back whatever no instance tells, and be found by the rest."""
    attributes = read(connection, level, row_id)
    own = attributes.keys() & set(LEVEL_TAGS[level])
    _prove(
        connection, level, row_id, attributes, own, connection.execute(_EVERYONE[level], (row_id,))
    )
    _write_keys(connection, level, row_id, attributes, own)
    write(connection, level, row_id, attributes)


def _prove(
    connection: sqlite3.Connection,
    level: Level,
    row_id: int,
    attributes: Attributes,
    tags: Iterable[str],
    instances: Iterable[tuple[int]],
) -> None:
    """Keep of these tags what one of the instances tells; for the rest, take what the first says."""
    doubtful = {tag for tag in tags if _has_value(attributes[tag])}
    asked: list[Attributes] = []
    for (instance_id,) in instances:
        if not doubtful:
            return
        told = metadata.of(connection, instance_id)
        if not told:
            continue
        own = level_of(_attributes(told), level)
        doubtful -= {tag for tag in doubtful if own.get(tag) == attributes[tag]}
        if len(asked) < _ASKED:
            asked.append(own)
    if not asked:  # a damaged database: nobody can be asked
        return
    for tag in doubtful:
        found = [own[tag] for own in asked if tag in own]
        found.sort(key=_has_value, reverse=True)
        if found:
            attributes[tag] = found[0]
        else:
            del attributes[tag]
    _write_keys(connection, level, row_id, attributes, doubtful)


@lru_cache(maxsize=4)
def _attributes(told: bytes) -> Attributes:
    """Return what metadata say; they are asked for each level, and the newest by every removal."""
    return attributes_of(told)


def _has_value(element: Mapping[str, Any]) -> bool:
    return len(element) > 1


def _write_keys(
    connection: sqlite3.Connection,
    level: Level,
    row_id: int,
    attributes: Attributes,
    tags: Iterable[str],
) -> None:
    """Let a study or series be found by what it tells now under these tags."""
    changed = frozenset(tags)
    keywords = [keyword for keyword, (tag, *_) in KEY_TAGS if tag in changed]
    if not keywords:
        return
    keys = keys_of(attributes)
    columns = matching.stored_columns(level, keys)
    for column in map(matching.column_of, keywords):
        if column in columns:
            connection.execute(
                f"UPDATE {matching.TABLES[level]} SET {column} = ? WHERE id = ?",  # noqa: S608 - fixed names
                (columns[column], row_id),
            )
    if level == "study":
        for keyword in matching.NAMES:
            if keyword in keywords:
                write_terms(connection, row_id, {keyword: keys.get(keyword, "")})


def write_terms(connection: sqlite3.Connection, study_id: int, names: Mapping[str, str]) -> None:
    """Let a study be found by these person names, by keyword, and no others of those keywords."""
    for keyword in names:
        connection.execute(
            "DELETE FROM terms WHERE study_id = ? AND keyword IN (?, ?)",
            (study_id, keyword, f"{keyword}~"),
        )
    connection.executemany(
        "INSERT OR IGNORE INTO terms (store_id, keyword, term, study_id)"
        " SELECT store_id, ?, ?, id FROM studies WHERE id = ?",
        [(kind, term, study_id) for kind, term in matching.stored_terms(names)],
    )
