from .semi_amortised import SemiAmortised as SemiAmortised
from .semi_amortised import fit_through as fit_through
