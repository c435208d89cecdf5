from .policies import PolicyInfo as PolicyInfo
from .policies import load_network as load_network
from .policies import save_network as save_network
