from .revaluation import ChainState as ChainState
from .revaluation import LastReward as LastReward
from .revaluation import Revaluation as Revaluation
from .reward_tree import EdgeRewards as EdgeRewards
from .reward_tree import RewardTree as RewardTree
from .reward_tree import TreeState as TreeState
