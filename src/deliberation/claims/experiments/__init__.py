"""The experiments behind the claims of stories: many small trainings each.

One file an experiment. It holds the world, the networks and their trainings, and one function
`train(settings, context)`, a cell's, whose outcomes have a leading axis for the trainings. What
the numbers mean is said in `claims.learned`.
"""
