from .beam import beam_search as beam_search
from .lookahead import lookahead as lookahead
from .samples import best_of_n as best_of_n
from .samples import majority_vote as majority_vote
from .spending import Searched as Searched
from .spending import TextBudget as TextBudget
from .tree import tree_search as tree_search
from .verifying import Verifier as Verifier
