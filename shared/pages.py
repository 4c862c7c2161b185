"""Turns templates into pages and refusals into pages or problem documents.

- Every text in a template goes through ``_()``, which takes a message or a ``shared.texts.Text``;
  autoescape is on; an unknown name is an error.
- The reader's language: in the portal what they chose there (a cookie), else what the browser asks for. A
  launch may happen at a shared machine, where an earlier reader's choice means nothing.
- ``name.html`` is looked up in ``shared/templates``, ``package/name.html`` in that package's ``templates``.
- No page carries inline script or style (the edge's content security policy refuses them).
"""

import gettext
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shared.assets import Assets
from shared.errors import FieldRefusal, Refusal
from shared.patient_words import patient_words
from shared.texts import LANGUAGES, Sentence, Translate, catalog, say
from shared.web import Cookie, Request, Response, html, json_response

if TYPE_CHECKING:
    from jinja2 import Environment

type Audience = Literal["patient", "staff", "admin"]

ROOT = Path(__file__).parent.parent
PROBLEM_TYPE = "application/problem+json"
_CHOSEN = "__Host-language"
_PORTAL = "/config"
_YEAR = 365 * 24 * 3600


class Pages:
    """Renders; safe to share between threads. ``root`` is the folder that holds ``shared`` and the doors."""

    def __init__(
        self,
        root: Path = ROOT,
        assets: Assets | None = None,
        catalogs: Callable[[str], gettext.NullTranslations] = catalog,
    ) -> None:
        """``catalogs`` gives the catalog of a language of ``LANGUAGES``; each is asked for once."""
        self._root = root
        self.assets = assets or Assets()
        self._catalogs = catalogs
        self._read: dict[str, gettext.NullTranslations] = {}
        self._environments: dict[str, Environment] = {}
        self._lock = threading.Lock()

    def render(self, template: str, request: Request, /, **values: Any) -> str:
        """One whole page in the reader's language."""
        language = self.language(request)
        environment = self._environment(language)
        return environment.get_template(template).render(
            values, language=language, languages=LANGUAGES, request_path=request.path
        )

    def page(self, template: str, request: Request, /, status: int = 200, **values: Any) -> Response:
        """``render`` as a response."""
        return html(self.render(template, request, **values), status)

    def failure(
        self, request: Request, refusal: Refusal, audience: Audience, reference: str = ""
    ) -> Response:
        """The page that says why not: to patients what to do now, to staff and administrators what to fix.

        The reason code and ``reference`` (the log line's) stand small at the foot, for the telephone.
        """
        return self.page(
            "failure.html",
            request,
            status=refusal.reason.status,
            reason=refusal.reason,
            audience=audience,
            reference=reference,
            words=patient_words(refusal.reason.code) if audience == "patient" else None,
            door=audience != "admin",
        )

    def problem(self, request: Request, refusal: Refusal, reference: str = "") -> Response:
        """The same as RFC 9457 problem details; refused fields are listed under ``errors``."""
        reason, translate = refusal.reason, self.translate(request)
        document: dict[str, Any] = {
            "type": f"urn:antesala:reason:{reason.code}",
            "title": translate(reason.title),
            "status": reason.status,
            "detail": f"{translate(reason.text)} {translate(reason.staff)}",
            "code": reason.code,
        }
        if reference:
            document["instance"] = f"urn:antesala:reference:{reference}"
        if isinstance(refusal, FieldRefusal):
            document["errors"] = [
                {"field": name, "detail": say(text, translate)} for name, text in refusal.fields.items()
            ]
        return json_response(document, reason.status, PROBLEM_TYPE)

    def language(self, request: Request) -> str:
        """The chosen one of ``LANGUAGES``, else the best for this browser (RFC 9110 section 12.5.4)."""
        chosen = request.cookies.get(_CHOSEN, "") if request.path.startswith(_PORTAL) else ""
        wanted = (chosen, *_accepted(request.header("accept-language")))
        return next((one for one in wanted if one in LANGUAGES), next(iter(LANGUAGES)))

    def choose(self, language: str) -> Cookie:
        """The cookie that keeps a choice for a year; Refusal not-found for a language we do not speak."""
        if language not in LANGUAGES:
            raise Refusal("not-found", "language")
        return Cookie(_CHOSEN, language, _YEAR)

    def translate(self, request: Request) -> Translate:
        """The messages of the reader's language, for what is no page: ``shared.texts.say`` takes it."""
        return self._catalog(self.language(request)).gettext

    def _catalog(self, language: str) -> gettext.NullTranslations:
        with self._lock:
            if language not in self._read:
                self._read[language] = self._catalogs(language)
            return self._read[language]

    def _environment(self, language: str) -> "Environment":
        messages = self._catalog(language)
        with self._lock:
            environment = self._environments.get(language)
            if environment is None:
                environment = self._environments[language] = self._build(messages)
            return environment

    def _build(self, messages: gettext.NullTranslations) -> "Environment":
        # Imported here: 25 ms that a launch which only redirects never needs.
        from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

        doors = {
            folder.parent.name: FileSystemLoader(folder)
            for folder in sorted(self._root.glob("*/templates"))
            if folder.parent.name != "shared"
        }
        environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(self._root / "shared" / "templates"), PrefixLoader(doors)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.globals.update(asset=self.assets.url, **_translators(messages))
        return environment


def _translators(messages: gettext.NullTranslations) -> dict[str, Any]:
    """``_("... %(name)s", name=value)``; a text without values may hold percent signs (context tokens do)."""

    def one(text: Sentence, /, **values: Any) -> str:
        translated = say(text, messages.gettext) if text else ""
        return translated % values if values else translated

    def many(singular: str, plural: str, count: int, /, **values: Any) -> str:
        return messages.ngettext(singular, plural, count) % {"num": count, **values}

    return {"_": one, "ngettext": many}


def _accepted(header: str) -> list[str]:
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:200].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        ranked.append((-quality, place, tag.split("-")[0].lower()))
    return [tag for quality, _, tag in sorted(ranked) if quality < 0]
