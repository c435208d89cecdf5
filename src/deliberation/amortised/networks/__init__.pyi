from .actor_critic import ActorCritic as ActorCritic
from .feed_forward import MLP as MLP
from .feed_forward import Network as Network
from .feed_forward import ResidualConvolution as ResidualConvolution
from .feed_forward import flops as flops
from .feed_forward import network_from_config as network_from_config
from .gaussian import GaussianMLP as GaussianMLP
from .recurrent import RecurrentMLP as RecurrentMLP
