from .proof import Fidelity as Fidelity
from .proof import Tried as Tried
from .task import GymState as GymState
from .task import GymTask as GymTask
from .task import Scored as Scored
from .task import from_gymnasium as from_gymnasium
