"""Everything that outlives a request, in the region of its connection, which is chosen here and only here.

A connection's id carries its region; nothing in a request can name another one. ``Stores`` finds the region's
rooms:

* ``Connections`` (``shared.store.connections``): configuration, revisions, the index by organization.
* ``EhrUsers``, ``Visits``, ``Launches``, ``Audit``: one module each.
* ``Operations``, ``DeadLetters``: what was told to the EHR, and what could not be.
* queues by name.
"""

from shared.store.region import RegionStore, Stores
from shared.store.table import ChangedMeanwhile

__all__ = ["ChangedMeanwhile", "RegionStore", "Stores"]
