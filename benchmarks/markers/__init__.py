"""Markers against invented seasons in which it is known what happened and when."""
