from .bayes_mixture import BayesMixture as BayesMixture
from .context_tree import ContextTree as ContextTree
from .lifetime import Lifetime as Lifetime
from .lifetime import learn as learn
from .mc_aixi import MCAIXI as MCAIXI
from .percepts import Percepts as Percepts
