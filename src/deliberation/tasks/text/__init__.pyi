from .markov_text import MarkovText as MarkovText
from .markov_text import Predictable as Predictable
from .markov_text import RightGuesses as RightGuesses
from .markov_text import TextState as TextState
