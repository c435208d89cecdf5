from .task import check_decider as check_decider
from .task import check_task as check_task
