"""Somebody who uses the keyboard alone: Tab and Shift+Tab to a control, then its own keys."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page

# Stops of Tab on the longest page.
_MOST = 120
_HERE = "(element) => element === document.activeElement"
_SEEN = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
}"""


class Keyboard:
    """One person's keys on one page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def type(self, field: Locator, text: str) -> None:
        """Types into a field instead of what it holds."""
        self._reach(field)
        self._page.keyboard.press("Control+A")
        self._page.keyboard.type(text)

    def press(self, button: Locator) -> None:
        """Presses a button."""
        self._reach(button)
        self._page.keyboard.press("Enter")

    def tick(self, box: Locator) -> None:
        """Ticks a box."""
        self._reach(box)
        self._page.keyboard.press("Space")
        assert box.is_checked()

    def choose(self, option: Locator) -> None:
        """Chooses one of a group of round buttons, which Tab stops at once and arrows walk through."""
        name = option.get_attribute("name")
        group = self._page.locator(f"input[type=radio][name={name}]")
        self._tab_until(lambda: any(one.evaluate(_HERE) for one in group.all()))
        for _ in range(group.count()):
            if option.evaluate(_HERE):
                break
            self._page.keyboard.press("ArrowDown")
        self._page.keyboard.press("Space")
        assert option.is_checked()

    def _reach(self, control: Locator) -> None:
        self._tab_until(lambda: bool(control.evaluate(_HERE)))

    def _tab_until(self, there: Callable[[], bool]) -> None:
        for _ in range(_MOST):
            if there():
                assert self._page.evaluate(_SEEN), "the focus cannot be seen"
                return
            self._page.keyboard.press("Tab")
        raise AssertionError("the keyboard does not get there")
