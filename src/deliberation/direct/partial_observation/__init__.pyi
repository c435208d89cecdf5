from .belief_planning import BeliefPlanning as BeliefPlanning
from .history_search import HistorySearch as HistorySearch
