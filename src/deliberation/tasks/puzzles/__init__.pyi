from .game_2048 import BoardState as BoardState
from .game_2048 import Game2048 as Game2048
from .game_2048 import MergedTiles as MergedTiles
from .sliding_tiles import FewestMoves as FewestMoves
from .sliding_tiles import SlidingTiles as SlidingTiles
from .sliding_tiles import TilesState as TilesState
from .sliding_tiles import distances as distances
