"""Instances of one deployment that read the same vault at different times, and an operator who rotates."""

import json

from sandbox.rotation import renewed
from shared.clock import Clock
from shared.key_lists import SymmetricKeys
from tests.fakes import MemorySecrets


def rotate(vault: MemorySecrets, name: str, step: str, clock: Clock, *, anyway: bool = False) -> None:
    """As the command does it: the present version out of the vault, the next one in."""
    rows = json.loads(vault.secrets[name])
    vault.secrets[name] = json.dumps(renewed(name, step, rows, clock.now(), anyway=anyway))


class Instances:
    """Two instances' keys, of which one serves now: what a ``Sealer`` sees behind a load balancer."""

    def __init__(self, vault: MemorySecrets, name: str, clock: Clock) -> None:
        self._vault, self._name, self._clock = vault, name, clock
        self._all = [self._made(), self._made()]
        self.serving = 0

    def _made(self) -> SymmetricKeys:
        return SymmetricKeys(self._vault, self._name, self._clock)

    def restart(self) -> None:
        """The instance that serves begins anew, and has read nothing yet."""
        self._all[self.serving] = self._made()

    def ring(self) -> tuple[bytes, ...]:
        return self._all[self.serving].ring()

    def anew(self) -> None:
        self._all[self.serving].anew()
