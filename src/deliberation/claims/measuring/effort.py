"""How much a table measures: smoke to see that it works, quick for an answer, full to be sure."""

from dataclasses import dataclass

from ...core.errors import UnknownNameError


@dataclass(frozen=True)
class Effort:
    """Sizes of everything that is measured; one place, so that claims share their cells."""

    name: str
    tasks: tuple[str, ...]
    positions: int
    """Contested positions a decider is scored on."""
    episodes: int
    """Episodes that a decider plays where values of positions are not known."""
    budgets: tuple[int, ...]
    """Simulations at which unguided search is scored."""
    plays: tuple[int, ...]
    """The same where whole episodes are played."""
    dial: tuple[int, ...]
    """Simulations at which guided search is scored, after 0."""
    seeds: int
    """Networks fitted for each condition."""
    ladders: int
    """Runs of expert iteration."""
    climbed: tuple[str, ...]
    """The tasks on which expert iteration is run."""
    lessons: tuple[int, ...]
    """Sizes of the data sets that networks are fitted to: few, far apart."""
    teacher: int
    """Simulations of the search that teaches."""
    steps: tuple[int, ...]
    """Gradient steps of a fit; the best for examples set aside is kept."""
    width: int
    """Hidden units of a fitted network's two layers."""
    iterations: int
    """Iterations of expert iteration."""
    rungs: int
    """Networks kept along one expert iteration."""
    practice: int
    """Simulations of a search within expert iteration."""
    commentary: bool = True
    """Whether the commentary beneath the table is measured without being named."""

    @property
    def lesson(self) -> int:
        """The size of a data set where one size serves for a comparison."""
        return max(self.lessons) // 4

    @property
    def room(self) -> int:
        """The size that the examples of every fit are repeated up to: one program for all."""
        return 2 * max(self.lessons)


LEVELS = {
    level.name: level
    for level in (
        Effort(
            name="smoke",
            tasks=("tic_tac_toe", "gridworld_pits"),
            positions=120,
            episodes=32,
            budgets=(1, 4, 16, 64, 256),
            plays=(1, 4, 16, 64),
            dial=(1, 4, 16),
            seeds=3,
            ladders=2,
            climbed=("tic_tac_toe",),
            lessons=(16, 128, 1024),
            teacher=128,
            steps=(100, 300),
            width=64,
            iterations=6,
            rungs=3,
            practice=16,
            commentary=False,
        ),
        Effort(
            name="quick",
            tasks=(
                "tic_tac_toe",
                "connect_four",
                "gridworld(size=9)",
                "gridworld_pits",
                "gridworld_hidden",
                "gridworld_continuous",
            ),
            positions=400,
            episodes=64,
            budgets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            plays=(1, 4, 16, 64, 256),
            dial=(1, 2, 4, 8, 16, 32, 64),
            seeds=6,
            ladders=6,
            climbed=("tic_tac_toe",),
            lessons=(8, 64, 512, 4096),
            teacher=256,
            steps=(150, 600),
            width=128,
            iterations=16,
            rungs=4,
            practice=24,
        ),
        Effort(
            name="full",
            tasks=(
                "tic_tac_toe",
                "connect_3_4x4",
                "hex_3x3",
                "connect_4_5x4",
                "connect_four",
                "gridworld(size=9)",
                "gridworld_pits",
                "gridworld_hidden",
                "gridworld_continuous",
                "frozen_lake",
            ),
            positions=1000,
            episodes=400,
            budgets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
            plays=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            dial=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            seeds=10,
            ladders=10,
            climbed=("tic_tac_toe", "connect_3_4x4", "hex_3x3", "connect_4_5x4", "connect_four"),
            lessons=(8, 64, 512, 4096, 32768),
            teacher=512,
            steps=(300, 1000, 3000),
            width=256,
            iterations=60,
            rungs=6,
            practice=32,
        ),
    )
}


def effort_of(name: str) -> Effort:
    """An effort by name. Raises `UnknownNameError`."""
    if name not in LEVELS:
        raise UnknownNameError("effort", name, LEVELS)
    return LEVELS[name]
