from .base import Graded as Graded
from .base import TextState as TextState
from .base import TextTask as TextTask
from .countdown import Countdown as Countdown
from .markov_text import MarkovText as MarkovText
from .markov_text import Predictable as Predictable
from .markov_text import RightGuesses as RightGuesses
