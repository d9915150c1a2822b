"""What all commands that call a service share: where it is, the token, ``--json``, errors as sentences."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Final, get_type_hints

import typer

from scheduler import __version__
from scheduler.cli.exits import Exit, Failure
from scheduler.cli.output import Answer, show, to_json
from scheduler.cli.remote import Remote
from scheduler.masking import escape

_INTERRUPTED: Final = 130
"""What shells expect of a program that Ctrl-C ended."""
DEFAULT_URL = "http://127.0.0.1:3000"

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs; errors too, on stderr.", rich_help_panel="Service")
]
_Url = Annotated[
    str,
    typer.Option("--url", envvar="MESSAGE_SCHEDULER_URL", help="Where the service is.", rich_help_panel="Service"),
]
_Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="MESSAGE_SCHEDULER_TOKEN",
        help="Its token, if it has one. Better in the environment: others can read a command's options.",
        show_envvar=True,
        rich_help_panel="Service",
    ),
]
_SHARED = [
    inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default=DEFAULT_URL, annotation=_Url),
    inspect.Parameter("token", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Token),
]
_AS_JSON = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)


def on_service(function: Callable[..., Answer | Iterable[Answer]]) -> Callable[..., None]:
    """Make a command of ``function(remote, …)``, which gets ``--url``, ``--token`` and ``--json`` besides its own."""
    return _command(function, remote=True)


def local(function: Callable[..., Answer | Iterable[Answer]]) -> Callable[..., None]:
    """Make a command of ``function(…)``, which calls no service by itself, with ``--json``."""
    return _command(function, remote=False)


def _command(function: Callable[..., Answer | Iterable[Answer]], *, remote: bool) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1 if remote else 0 :]
    groups: dict[str, Any] = {
        parameter.name: parameter.annotation for parameter in own if is_dataclass(parameter.annotation)
    }

    def command(**given: Any) -> None:
        as_json = given.pop("as_json")
        arguments = [Remote(given.pop("url"), given.pop("token"))] if remote else []
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        try:
            answers = function(*arguments, **given)
            single = isinstance(answers, Answer)
            for answer in [answers] if isinstance(answers, Answer) else answers:
                show(answer, as_json=as_json, compact=not single)
        except Failure as failure:
            tell(failure, as_json=as_json)
            raise typer.Exit(int(failure.code)) from None
        except KeyError as missing:
            if not remote:
                raise
            sentence = f"The answer has no {missing}: is a service of version {__version__}, as this command, at --url?"
            tell(Failure(Exit.FAILED, sentence), as_json=as_json)
            raise typer.Exit(int(Exit.FAILED)) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        finally:
            for each in arguments:
                each.close()

    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            *(option for parameter in own for option in _options(parameter)),
            *(_SHARED if remote else []),
            _AS_JSON,
        ],
        return_annotation=None,
    )
    command.__annotations__ = {}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return a command's options for a parameter: itself, or a group's fields (options.py)."""
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(parameter.annotation):
        return [parameter.replace(kind=keyword_only)]
    hints = get_type_hints(parameter.annotation, include_extras=True)
    return [
        inspect.Parameter(field.name, keyword_only, default=field.default, annotation=hints[field.name])
        for field in fields(parameter.annotation)
    ]


def tell(failure: Failure, *, as_json: bool) -> None:
    """Say on stderr what went wrong."""
    if as_json:
        text = to_json({"error": str(failure), "exit_code": int(failure.code), **failure.details})
    else:
        text = "\n".join(escape(part) for part in str(failure).splitlines())
    sys.stderr.write(f"{text}\n")


def each(ids: Iterable[str], act: Callable[[str], Answer]) -> Iterator[Answer]:
    """Yield what became of each id.  One that fails is told of and does not keep the others; the last one's failure
    ends the command.
    """
    failures: list[Failure] = []
    for id in ids:
        try:
            yield act(id)
        except Failure as failure:
            failures.append(failure)
    if failures:
        sentences = "\n".join(str(failure) for failure in failures)
        raise Failure(failures[-1].code, sentences, failures[-1].details)
