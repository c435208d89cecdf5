from .choosing import BACKENDS as BACKENDS
from .choosing import open_pool as open_pool
