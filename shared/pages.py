"""Turns templates into pages and refusals into pages or problem documents.

- Every text in a template goes through ``_()``; autoescape is on; an unknown name is an error.
- ``name.html`` is looked up in ``shared/templates``, ``package/name.html`` in that package's ``templates``.
- No page carries inline script or style (the edge's content security policy refuses them).
"""

import gettext
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shared.assets import Assets
from shared.errors import FieldRefusal, Refusal
from shared.web import Request, Response, html, json_response

if TYPE_CHECKING:
    from jinja2 import Environment

type Audience = Literal["patient", "staff", "admin"]

ROOT = Path(__file__).parent.parent
PROBLEM_TYPE = "application/problem+json"

# The languages whose catalogs are complete; the first is the one the templates are written in.
LANGUAGES = ("en",)


class Pages:
    """Renders; safe to share between threads. ``root`` is the folder that holds ``shared`` and the doors."""

    def __init__(self, root: Path = ROOT, assets: Assets | None = None) -> None:
        self._root = root
        self.assets = assets or Assets()
        self._environments: dict[str, Environment] = {}
        self._lock = threading.Lock()

    def render(self, template: str, request: Request, /, **values: Any) -> str:
        """One whole page in the reader's language."""
        language = self.language(request)
        environment = self._environment(language)
        return environment.get_template(template).render(values, language=language, request_path=request.path)

    def page(self, template: str, request: Request, /, status: int = 200, **values: Any) -> Response:
        """``render`` as a response."""
        return html(self.render(template, request, **values), status)

    def failure(
        self, request: Request, refusal: Refusal, audience: Audience, reference: str = ""
    ) -> Response:
        """The page that says why not: what to do now for everybody, what to fix for staff and administrators.

        The reason code and ``reference`` (the log line's) stand small at the foot, for the telephone.
        """
        return self.page(
            "failure.html",
            request,
            status=refusal.reason.status,
            reason=refusal.reason,
            audience=audience,
            reference=reference,
        )

    def problem(self, refusal: Refusal, reference: str = "") -> Response:
        """The same as RFC 9457 problem details; refused fields are listed under ``errors``."""
        reason = refusal.reason
        document: dict[str, Any] = {
            "type": f"urn:antesala:reason:{reason.code}",
            "title": reason.title,
            "status": reason.status,
            "detail": f"{reason.text} {reason.staff}",
            "code": reason.code,
        }
        if reference:
            document["instance"] = f"urn:antesala:reference:{reference}"
        if isinstance(refusal, FieldRefusal):
            document["errors"] = [{"field": name, "detail": text} for name, text in refusal.fields.items()]
        return json_response(document, reason.status, PROBLEM_TYPE)

    def language(self, request: Request) -> str:
        """The best of ``LANGUAGES`` for this browser (RFC 9110 section 12.5.4)."""
        for wanted in _accepted(request.header("accept-language")):
            if wanted in LANGUAGES:
                return wanted
        return LANGUAGES[0]

    def _environment(self, language: str) -> "Environment":
        with self._lock:
            environment = self._environments.get(language)
            if environment is None:
                environment = self._environments[language] = self._build()
            return environment

    def _build(self) -> "Environment":
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
        catalog = gettext.NullTranslations()
        environment.globals.update(asset=self.assets.url, **_translators(catalog))
        return environment


def _translators(catalog: gettext.NullTranslations) -> dict[str, Any]:
    """``_("... %(name)s", name=value)``; a text without values may hold percent signs (context tokens do)."""

    def one(text: str, /, **values: Any) -> str:
        translated = catalog.gettext(text)
        return translated % values if values else translated

    def many(singular: str, plural: str, count: int, /, **values: Any) -> str:
        return catalog.ngettext(singular, plural, count) % {"num": count, **values}

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
