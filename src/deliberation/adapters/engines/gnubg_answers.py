"""What GNU Backgammon's own Python runs, and nothing else does: boards in, their equities out.

A line is a number of plies, then boards, each of 25 numbers for the player not on roll and 25 for
the player on roll. The answer is a line of cubeless equities for the player on roll.
"""

import sys
from importlib import import_module


def main():
    """Answer until the input ends."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    gnubg = import_module("gnubg")  # it is there only inside of the program
    info = gnubg.cubeinfo(1, -1, 1, 0, (0, 0), 0, 0)
    context = gnubg.evalcontext()
    context["cubeful"] = 0
    for line in sys.stdin:
        plies, *boards = line.split()
        context["plies"] = int(plies)
        numbers = [tuple(int(n) for n in side.split(",")) for side in boards]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        told = [repr(gnubg.evaluate(pair, info, context)[5]) for pair in pairs]
        sys.stdout.write("equities " + " ".join(told) + "\n")
        sys.stdout.flush()


main()
