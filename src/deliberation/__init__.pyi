from . import adapters as adapters
from . import amortised as amortised
from . import claims as claims
from . import core as core
from . import direct as direct
from . import hybrid as hybrid
from . import report as report
from . import runs as runs
from . import stats as stats
from . import tasks as tasks
from . import zoo as zoo
from .core import Budget as Budget
from .core import Decider as Decider
from .core import Decision as Decision
from .core import Ledger as Ledger
from .core import Objective as Objective
from .core import Symmetry as Symmetry
from .core import Task as Task
from .core import Traits as Traits
from .core import check_decider as check_decider
from .core import check_task as check_task
from .core import misere as misere
from .core import rollout as rollout
from .hybrid import load as load
from .tasks import list_tasks as list_tasks
from .tasks import make_task as make_task

__version__: str
