from .decider import EngineDecider as EngineDecider
from .gtp import from_gtp as from_gtp
from .uci import from_uci as from_uci
