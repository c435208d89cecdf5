from .registry import channels as channels
from .registry import list_specimens as list_specimens
from .registry import make as make
from .registry import specimen as specimen
from .validation import Validated as Validated
from .validation import validate as validate
from .worlds import random_world as random_world
