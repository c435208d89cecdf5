"""Planners: by what they are told or not, near or far, well or badly."""
