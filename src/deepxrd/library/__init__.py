"""Structures kept compactly."""
