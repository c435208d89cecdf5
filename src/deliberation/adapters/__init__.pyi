from .gym import Fidelity as Fidelity
from .gym import GymState as GymState
from .gym import GymTask as GymTask
from .gym import Scored as Scored
from .gym import Tried as Tried
from .gym import from_gymnasium as from_gymnasium
from .tables import from_arrays as from_arrays
