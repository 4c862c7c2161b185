"""The SMART flow that both doors and the approver's sign-in share; what a launch says: who, and which visit."""

from shared.launch.flow import Finished, SmartFlow, Taken

__all__ = ["Finished", "SmartFlow", "Taken"]
