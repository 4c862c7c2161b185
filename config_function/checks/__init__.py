"""Check this connection: each probe tries one thing for real and says what to do about it (design 4.5).

probes      the table: what can be tried, and what is tried for one person at a time
verdict     what came of it: tried, found, remedy, commands
run         plans and runs, within a time limit
ehr         the EHR's endpoints and its token
microsoft   Microsoft 365's token, the access policy, licences, the browser link
ours        whether others reach us: our keys, our webhooks
waiting     what lies in our queues and beside them
clocks      whether our clock is theirs

Probes are asked for one by one, so that a page can start them side by side and show each as it ends. A probe
never raises for what the other side does: that is its verdict.
"""

from config_function.checks.microsoft import policy_commands
from config_function.checks.probes import PROBES, Planned, Probe
from config_function.checks.run import Checks
from config_function.checks.verdict import Verdict

__all__ = ["PROBES", "Checks", "Planned", "Probe", "Verdict", "policy_commands"]
