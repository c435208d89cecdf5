from .announcing import Bonus as Bonus
from .auditing import audit as audit
from .auditing import list_probes as list_probes
from .channels import Channels as Channels
from .exam import Exam as Exam
from .profile import Answer as Answer
from .profile import Control as Control
from .profile import Profile as Profile
