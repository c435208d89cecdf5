from .alpha_beta import AlphaBeta as AlphaBeta
from .beam import BeamSearch as BeamSearch
from .best_first import BestFirst as BestFirst
from .best_first import Pruning as Pruning
from .best_first import pruned_best_first as pruned_best_first
