from .cells import plan as plan
from .made import Made as Made
from .placing import Placed as Placed
from .placing import analyse as analyse
from .registry import KINDS as KINDS
from .registry import entry as entry
from .registry import list_zoo as list_zoo
