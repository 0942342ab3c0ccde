"""Stored runs as one page to explore in a browser."""

from .page import explore, page

__all__ = ["explore", "page"]
