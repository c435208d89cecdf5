from .best_of_n import BestOfN as BestOfN
from .cross_entropy import CEM as CEM
from .gradients import GradientPlanning as GradientPlanning
from .path_integral import MPPI as MPPI
from .plan_search import PlanSearch as PlanSearch
from .plans import PlanProposals as PlanProposals
from .plans import ProposedPlans as ProposedPlans
from .random_shooting import RandomShooting as RandomShooting
