from .habits import Habit as Habit
from .habits import TableHabit as TableHabit
from .habits import ValueNetworkHabit as ValueNetworkHabit
from .plan_until_habit import PlanUntilHabit as PlanUntilHabit
