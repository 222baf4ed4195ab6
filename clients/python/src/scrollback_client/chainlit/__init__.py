"""A data layer for Chainlit: ``pip install scrollback-client[chainlit]``."""

from ._layer import ScrollbackDataLayer

__all__ = ["ScrollbackDataLayer"]
