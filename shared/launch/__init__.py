"""The SMART flow that both doors and the approver's sign-in share; who launches, and which visit."""

from shared.launch.flow import SmartFlow
from shared.launch.passage import Finished, Taken

__all__ = ["Finished", "SmartFlow", "Taken"]
