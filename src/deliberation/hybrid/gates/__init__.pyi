from .gated import Gated as Gated
from .gates import Gate as Gate
from .gates import GaussianGate as GaussianGate
from .gates import fit_gates as fit_gates
