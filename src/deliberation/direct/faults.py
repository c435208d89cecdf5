"""What can be wrong with the numbers that a search meets, as bits of one integer."""

IN_PRIOR, IN_VALUE, IN_REWARD, IN_SUM, IN_CHANCES, IN_DRAWS = 1, 2, 4, 8, 16, 32
IN_AIMS = 64
"""Rewards by which two players do not have opposite aims: finite, but not what is searched for."""
FAULT_OF = {
    IN_PRIOR: "the prior",
    IN_VALUE: "the value",
    IN_REWARD: "a reward",
    IN_SUM: "a sum of returns",
    IN_CHANCES: "the chances of an outcome",
    IN_DRAWS: "the actions of a proposal",
}
"""Where a number was NaN or infinite, by bit."""
