from .proof import Fidelity as Fidelity
from .proof import Tried as Tried
from .scored import Scored as Scored
from .state import GymState as GymState
from .task import GymTask as GymTask
from .task import from_gymnasium as from_gymnasium
