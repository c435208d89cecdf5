from .callables import from_callable as from_callable
from .expected import Score as Score
from .host import HostPolicy as HostPolicy
from .jax_modules import JaxPolicy as JaxPolicy
from .jax_modules import from_equinox as from_equinox
from .sb3 import from_sb3 as from_sb3
from .spiel_players import from_open_spiel as from_open_spiel
from .torch_modules import from_torch as from_torch
