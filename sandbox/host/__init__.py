"""A Functions host for one machine, over Microsoft's own Python worker library.

What a function sees (requests, cookies, queue messages, timers) is treated as the real host treats it, as
read in the sources of azure-functions-host 4.1037 and the storage extension. What this host does not have:
scaling, function keys, built-in sign-in, output bindings, and the platform in front of it.
"""

from sandbox.host.host import Host, HostOptions
from sandbox.host.worker import HostStartError

__all__ = ["Host", "HostOptions", "HostStartError"]
