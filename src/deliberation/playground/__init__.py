"""The playground: a local page on which one plays, turns the dial from habit to exact, and changes
the goal.

Every answer is computed from what the request says (a task, a seed, the moves, a goal), so that a
link is a position and nothing is kept of anybody. `app.make_app` puts it together; `deliberate
serve` runs it. It needs the extra `playground`.
"""
