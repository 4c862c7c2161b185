"""What a route of the portal is, and everything that can answer one."""

from collections.abc import Callable
from dataclasses import dataclass

from config_function.api import Api
from config_function.check_pages import CheckPages
from config_function.connection_pages import ConnectionPages
from config_function.desk import Desk
from config_function.edit_pages import EditPages
from config_function.guide import Guide
from config_function.letter_api import LetterApi
from config_function.letter_pages import LetterPages
from config_function.people_api import PeopleApi
from config_function.people_pages import PeoplePages
from config_function.person_api import PersonApi
from config_function.person_pages import PersonPages
from config_function.portal import Portal
from config_function.shell import Shell

GET = ("GET",)
POST = ("POST",)
PUT = ("PUT",)
BOTH = ("GET", "POST")
READ = ("GET", "HEAD")


class Handlers:
    """All pages and operations over one desk, so that what one of them remembers counts for the others."""

    def __init__(self, desk: Desk) -> None:
        self.shell = Shell(desk)
        self.portal = Portal(desk)
        self.guide = Guide(desk)
        self.connection = ConnectionPages(desk)
        self.edit = EditPages(desk)
        self.checks = CheckPages(desk)
        self.people = PeoplePages(desk)
        self.letters = LetterPages(desk)
        self.approval = desk.approval
        self.api = Api(desk)
        self.people_api = PeopleApi(desk)
        self.letter_api = LetterApi(desk)
        self.person = PersonPages(desk)
        self.person_api = PersonApi(desk)


@dataclass(frozen=True)
class Route[Handler]:
    """``name``: the function's, in logs and in the host. ``template``: as the Functions host reads it."""

    name: str
    template: str
    methods: tuple[str, ...]
    handler: Callable[[Handlers], Handler]
