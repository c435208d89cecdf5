"""Figures as data: what stands on which axes, in which units."""

from typing import Literal

import msgspec

Scale = Literal["linear", "log2", "log10"]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line, cloud of points, staircase or row of bars; at each x with an interval if known."""

    label: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    kind: Literal["line", "points", "step", "bars"] = "line"


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """A surface `z[y][x]` shown as colour, with isolines at the given values of z."""

    x: list[float]
    y: list[float]
    z: list[list[float]]
    isolines: list[float] = []


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A horizontal line that series are compared with."""

    label: str
    y: float


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """A range of heights in which a difference does not matter."""

    label: str
    low: float
    high: float


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of axes; `x_names` name the places of its points, where these are no numbers."""

    title: str
    x_label: str
    y_label: str
    x_names: list[str] = []
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    series: list[Series] = []
    references: list[Reference] = []
    bands: list[Band] = []
    heat: Heat | None = None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Panels under one title; `alternative` says in words what the picture shows."""

    title: str
    panels: list[Panel]
    alternative: str
