"""Names, numbers and errors in a line."""

from ...core.failures import in_words, text_of


def name_of(policy: object) -> str:
    """What a policy is called: its `repr` where that is short, else its name or its type."""
    told = " ".join(text_of(policy).split())
    # What stands for a stranger's policy says so itself; the type alone would name the adapter.
    if len(told) <= 60:
        return told
    return text_of(policy, lambda one: str(getattr(one, "name", type(one).__name__)))


def in_a_line(error: BaseException) -> str:
    """An error in a line."""
    return " ".join(in_words(error).split())[:300]


def probes_in_words(count: int) -> str:
    """So many probes."""
    return several(count, "probe")


def several(count: int, noun: str) -> str:
    """So many of a thing: 1 move, 2 moves."""
    return f"{count} {noun}{'s' * (count != 1)}"
