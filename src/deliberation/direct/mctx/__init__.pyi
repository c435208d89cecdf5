from .ends import check_finite as check_finite
from .policies import gumbel_muzero_policy as gumbel_muzero_policy
from .policies import muzero_policy as muzero_policy
from .policies import search as search
from .policies import stochastic_muzero_policy as stochastic_muzero_policy
from .selection import (
    gumbel_muzero_interior_action_selection as gumbel_muzero_interior_action_selection,
)
from .selection import gumbel_muzero_root_action_selection as gumbel_muzero_root_action_selection
from .selection import muzero_action_selection as muzero_action_selection
from .transforms import qtransform_by_min_max as qtransform_by_min_max
from .transforms import qtransform_by_parent_and_siblings as qtransform_by_parent_and_siblings
from .transforms import qtransform_completed_by_mix_value as qtransform_completed_by_mix_value
from .trees import Tree as Tree
from .types import ChanceRecurrentFnOutput as ChanceRecurrentFnOutput
from .types import DecisionRecurrentFnOutput as DecisionRecurrentFnOutput
from .types import GumbelMuZeroExtraData as GumbelMuZeroExtraData
from .types import InteriorActionSelectionFn as InteriorActionSelectionFn
from .types import LoopFn as LoopFn
from .types import PolicyOutput as PolicyOutput
from .types import RecurrentFn as RecurrentFn
from .types import RecurrentFnOutput as RecurrentFnOutput
from .types import RecurrentState as RecurrentState
from .types import RootActionSelectionFn as RootActionSelectionFn
from .types import RootFnOutput as RootFnOutput
from .types import SearchSummary as SearchSummary
from .types import StochasticRecurrentState as StochasticRecurrentState
