"""Estimates and Auto for specs on real hosts: what the API, command line and screens ask."""

from .estimator import Estimator

__all__ = ["Estimator"]
