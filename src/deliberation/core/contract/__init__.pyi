from .task import check_decider as check_decider
from .task import check_task as check_task
from .text_model import Sampling as Sampling
from .text_model import TextModel as TextModel
from .text_model import Written as Written
