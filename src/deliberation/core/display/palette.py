"""The colours of figures, by name: their values in the light and in the dark."""

PLACEHOLDERS = {
    "#010101": ("ink", "#1d2126"),
    "#020202": ("muted", "#5a6068"),
    "#030303": ("rule", "#e2ded4"),
    "#040404": ("paper", "#fdfcfa"),
    "#050501": ("s1", "#1b66ac"),
    "#050502": ("s2", "#c2500f"),
    "#050503": ("s3", "#0b7f66"),
    "#050504": ("s4", "#84519f"),
    "#050505": ("s5", "#8a6b00"),
    "#050506": ("s6", "#5d6570"),
    "#050507": ("s7", "#a83260"),
    "#050508": ("s8", "#2f8fb3"),
}
"""Colours that drawing uses as names: the CSS variable each becomes, and its value in the light."""

DARK = {
    "ink": "#e8e6e1",
    "muted": "#a6abb2",
    "rule": "#33383e",
    "paper": "#16191c",
    "s1": "#70b3f0",
    "s2": "#f39a62",
    "s3": "#45c8a6",
    "s4": "#c8a0e2",
    "s5": "#dcbf4d",
    "s6": "#abb3bd",
    "s7": "#f08bb0",
    "s8": "#7fd0ea",
}
NAMES = {name: placeholder for placeholder, (name, _) in PLACEHOLDERS.items()}
"""The placeholder to draw with, by the name of the CSS variable."""
