"""Tests of the configuration portal and its API."""
