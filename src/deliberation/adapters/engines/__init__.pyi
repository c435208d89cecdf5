from .decider import EngineDecider as EngineDecider
from .gnubg import from_gnubg as from_gnubg
from .gtp import from_gtp as from_gtp
from .uci import from_uci as from_uci
