from .games import Games as Games
from .games import self_play as self_play
from .settings import Settings as Settings
from .training import Trained as Trained
from .training import train as train
