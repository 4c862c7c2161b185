"""Attendance: Graph's notifications in, the EHR's record out, through queues that lose nothing."""
