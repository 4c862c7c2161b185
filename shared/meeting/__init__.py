"""A visit's meeting: one however many launch at once, guarded before anybody is let in."""

from shared.meeting.persons import Launcher
from shared.meeting.rooms import Room, Rooms

__all__ = ["Launcher", "Room", "Rooms"]
