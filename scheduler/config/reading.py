"""Read ``Settings`` from config/appsettings.json and the environment; name every problem, in the user's spelling.

pydantic-settings is not used: it reads the process's own environment even when a child validates what its parent sent,
and its errors name neither the variable nor the nearest known key.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from pydantic import ValidationError

from scheduler.config.settings import Setting, Settings, every_setting, secrets_of
from scheduler.errors import ConfigError
from scheduler.masking import escape

__all__ = [
    "DEFAULT_PATH",
    "Settings",
    "ignored_variables",
    "load_settings",
    "load_with_sources",
    "secrets_of",
    "settings_file",
]

_NAME: Final = Path("config", "appsettings.json")
_PACKAGE: Final = Path(__file__).resolve().parents[1]
DEFAULT_PATH: Final = _PACKAGE / _NAME if (_PACKAGE / _NAME).exists() else _PACKAGE.parent / _NAME
"""The settings that ship: inside the package of a wheel, beside app.py in a checkout."""

SHORTCUTS: Final = {
    "REDIS_URL": "Redis.ConnectionString",
    "PORT": "Server.Port",
    "API_AUTH": "Api.AuthToken",
    "RETRIES": "Tasks.Retries",
    "RETRY_TIME": "Tasks.RetrySeconds",
}
"""Environment variables of earlier systems.  They take precedence over ``SECTION__KEY``."""


class _Given(NamedTuple):
    """A value as the user gave it."""

    setting: Setting
    written: str
    """The key in the user's own spelling."""
    value: Any
    source: str
    """The file's path or the variable's name."""


def settings_file() -> Path:
    """Return config/appsettings.json of the working folder if it is there, else the one that ships."""
    here = Path.cwd() / _NAME
    return here if here.exists() else DEFAULT_PATH


def load_settings(path: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Return the settings: the environment over the file over the defaults.

    ``path``: the JSON file; None for the one of ``settings_file``, which may be missing.  ``env``: None for the
    process's own.  An empty variable counts as not set.  Raises ConfigError with one line per problem.
    """
    return load_with_sources(path, env)[0]


def load_with_sources(
    path: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, str]]:
    """Return the settings, and where each that is not a default comes from: key → the file's path or a variable's name.

    Arguments and errors as those of ``load_settings``.
    """
    problems: list[str] = []
    given: dict[str, _Given] = {}
    for entry in [
        *_from_file(path, problems),
        *_from_environment(os.environ if env is None else env, problems),
    ]:
        given[entry.setting.key] = entry
    values: dict[str, dict[str, Any]] = {}
    for entry in given.values():
        values.setdefault(entry.setting.section, {})[entry.setting.name] = entry.value
    settings = Settings()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += _in_words(error, given)
    if problems:
        raise ConfigError([escape(problem) for problem in problems])
    shipped = str(DEFAULT_PATH)
    return settings, {
        key: entry.source
        for key, entry in given.items()
        if entry.source != shipped or _value(settings, entry.setting) != entry.setting.field.default
    }


def _value(settings: Settings, setting: Setting) -> Any:
    return getattr(getattr(settings, setting.section), setting.name)


def ignored_variables(env: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence for each variable that only lacks the second underscore of a setting's variable.

    Not an error: other programs use such names too (Kubernetes sets ``SERVER_PORT`` beside a service ``server``).
    ``env``: None for the process's own.
    """
    given = os.environ if env is None else env
    by_fold = {_folded(setting.variable): setting.variable for setting in every_setting()}
    return [
        f"{variable} is ignored; did you mean {by_fold[_folded(variable)]}, with two underscores after the section?"
        for variable in sorted(given)
        if given[variable]
        and "__" not in variable
        and "_" in variable
        and variable.upper() not in SHORTCUTS
        and _folded(variable) in by_fold
    ]


def _from_file(path: Path | None, problems: list[str]) -> list[_Given]:
    found: list[_Given] = []
    file = path or settings_file()
    for section, members in _read(file, problems).items():
        if _folded(section) not in _sections():
            problems.append(f"{section}: unknown section; {_nearest(section, _sections().values())}")
        elif not isinstance(members, dict):
            problems.append(
                f"{section}: {_excerpt(members)} is not accepted; accepted: an object with the section's settings"
            )
        else:
            for name, value in members.items():
                _add(found, f"{section}.{name}", value, str(file), problems)
    return found


def _read(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        # An editor of another system may have put a byte order mark in front.
        content = json.loads(
            file.read_text("utf-8-sig"), object_pairs_hook=_without_doubles, parse_constant=_no_constant
        )
    except FileNotFoundError:
        if file != DEFAULT_PATH:
            problems.append(f"{file}: there is no such file")
        return {}
    except json.JSONDecodeError as error:
        problems.append(f"{file}, line {error.lineno}, column {error.colno}: broken JSON: {error.msg}")
    except UnicodeDecodeError as error:
        problems.append(f"{file}: not UTF-8 text (byte {error.start})")
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
    except RecursionError:
        problems.append(f"{file}: nested too deeply; accepted: sections that hold settings")
    except ValueError as error:
        problems.append(f"{file}: {error}")
    else:
        if isinstance(content, dict):
            return content
        problems.append(f"{file}: {_excerpt(content)} is not accepted; accepted: an object with one member per section")
    return {}


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_excerpt(twice)} is there twice in one object; accepted: each key once")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not accepted; accepted: finite numbers")


def _from_environment(env: Mapping[str, str], problems: list[str]) -> list[_Given]:
    by_section: list[_Given] = []
    shortcuts: list[_Given] = []
    settings = {setting.key: setting for setting in every_setting()}
    for variable in sorted(env):
        if not env[variable]:
            continue
        section, separator, _ = variable.partition("__")
        if variable.upper() in SHORTCUTS:
            shortcuts.append(_Given(settings[SHORTCUTS[variable.upper()]], variable, env[variable], variable))
        elif separator and _folded(section) in _sections():
            _add(by_section, variable, env[variable], variable, problems)
    return by_section + shortcuts


def _add(found: list[_Given], written: str, value: Any, source: str, problems: list[str]) -> None:
    """Add the value under the setting that ``written`` spells, or add a problem."""
    setting = next((s for s in every_setting() if _folded(written) in (_folded(s.key), _folded(s.variable))), None)
    if setting is None:
        names = [s.variable if source == written else s.key for s in every_setting()]
        problems.append(f"{written}: unknown setting; {_nearest(written, names)}")
    elif twin := next((entry.written for entry in found if entry.setting.key == setting.key), None):
        problems.append(f"{written}: already set as {twin}; accepted: one of the two")
    else:
        found.append(_Given(setting, written, value, source))


def _in_words(error: ValidationError, given: Mapping[str, _Given]) -> list[str]:
    """Return one line per problem that pydantic found."""
    lines = []
    by_place = {(_folded(e.setting.section), _folded(e.setting.name)): e for e in given.values()}
    for detail in error.errors(include_url=False):
        section, name = ([_folded(str(part)) for part in detail["loc"]] + ["", ""])[:2]
        if entry := by_place.get((section, name)):
            shown = "the value" if entry.setting.secret or "://" in str(entry.value) else _excerpt(entry.value)
            lines.append(f"{entry.written}: {shown} is not accepted; accepted: {entry.setting.accepted}")
        else:
            lines.append(_spelled_as_given(str(detail["ctx"]["error"]), given))
    return lines


def _spelled_as_given(text: str, given: Mapping[str, _Given]) -> str:
    """Replace keys in a cross-check's text by the spelling that the user gave, such as a variable's name."""
    for key, entry in given.items():
        text = text.replace(key, entry.written)
    return text


def _nearest(written: str, names: Iterable[str]) -> str:
    by_fold = {_folded(name): name for name in names}
    near = difflib.get_close_matches(_folded(written), by_fold, n=1, cutoff=0.5)
    return f"did you mean {by_fold[near[0]]}?" if near else f"known are: {', '.join(by_fold.values())}"


def _sections() -> dict[str, str]:
    return {_folded(setting.section): setting.key.partition(".")[0] for setting in every_setting()}


def _folded(name: str) -> str:
    """Return the common form of all spellings of a name: case, underscores and the separator do not matter."""
    return name.replace("_", "").lower()


def _excerpt(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "…"
