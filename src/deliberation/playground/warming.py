"""Getting ready before anybody asks: the programs of the first page are compiled as it opens."""

from ..core.errors import DeliberationError
from .exact import exact
from .hall import Hall
from .searching import SMALL, Growing, most_simulations
from .thinking import Asked, said_by
from .worlds import FIRST, Spot, described, play

_NOTE = "Getting ready: compiling, which takes longest at the first start"


def warm(hall: Hall) -> None:
    """Do once what the first visitor would wait for."""
    hall.notes["warm"] = _NOTE
    spot = Spot(FIRST)
    try:
        game = play(Spot(FIRST, moves=("3",)))
        described(game, spot)
        habit = hall.habits.of(FIRST)
        for budget in (SMALL, most_simulations(game.task)):
            growing = Growing(game.task, game.objective, game.state, budget, spot.seed)
            hall.warmed((growing.form, "begin"), growing.begin)
            hall.warmed((growing.form, "grow"), growing.grow, 1)
            hall.warmed((growing.form, "told"), growing.told)
        if habit.policy is not None:
            hall.warmed(("habit", FIRST), said_by, habit, Asked(spot, game, 1))
        exact(spot, game.state)
    except DeliberationError:
        return  # The page says so itself, to whoever asks.
    finally:
        hall.notes.pop("warm", None)
