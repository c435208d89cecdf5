from .task import SpielState as SpielState
from .task import SpielTask as SpielTask
from .task import from_open_spiel as from_open_spiel
