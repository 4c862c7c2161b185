"""A sentence whose values stand apart, so that it can be said in the reader's language.

    Text("%(host)s does not answer.", host=host)

The message is English and the key of the catalogs in ``shared/locales``; values are never translated, unless
a value is a ``Text`` itself. ``str()`` says it in English, for logs and tests.
"""

import gettext
from collections.abc import Callable, Mapping
from pathlib import Path

# The languages whose catalogs are complete; the first is the one that messages are written in.
LANGUAGES: Mapping[str, str] = {"en": "English", "es": "Español"}
DOMAIN = "antesala"
LOCALES = Path(__file__).parent / "locales"

type Value = "str | int | Text"
# A plain ``str`` is the message of a table's row: it is looked up as it stands.
type Sentence = "Text | str"
type Translate = Callable[[str], str]


class Text:
    """One sentence; equal where message and values are equal."""

    __slots__ = ("message", "values")

    def __init__(self, message: str, /, **values: Value) -> None:
        self.message = message
        self.values: Mapping[str, Value] = values

    def said(self, translate: Translate) -> str:
        """The sentence by a catalog's ``gettext``; a text without values may hold percent signs."""
        message = translate(self.message)
        if not self.values:
            return message
        return message % {
            name: value.said(translate) if isinstance(value, Text) else value
            for name, value in self.values.items()
        }

    def __str__(self) -> str:
        return self.said(lambda message: message)

    def __repr__(self) -> str:
        return f"Text({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and (self.message, self.values) == (other.message, other.values)

    def __hash__(self) -> int:
        return hash(self.message)


class Together(Text):
    """Several sentences behind each other."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Text) -> None:
        super().__init__("")
        self.parts = parts

    def said(self, translate: Translate) -> str:
        """Each part in turn, with a space between."""
        return " ".join(part.said(translate) for part in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Together) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def catalog(language: str) -> gettext.NullTranslations:
    """The catalog of a language of ``LANGUAGES``; the first needs none."""
    if language == next(iter(LANGUAGES)):
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, LOCALES, [language])


def say(text: Sentence, translate: Translate) -> str:
    """A sentence, or the message of a table's row, in a language; an empty one stays empty."""
    if not text:
        # A catalog keeps its own header under the empty message.
        return ""
    return text.said(translate) if isinstance(text, Text) else translate(text)
