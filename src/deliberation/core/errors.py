"""What can go wrong, by name. Every message says what was wrong, where, and what to do.

This module imports nothing heavy, so that the command line can refuse within milliseconds.
"""

import difflib
from collections.abc import Iterable


class DeliberationError(Exception):
    """The root of everything this library raises on purpose."""


class IllegalActionError(DeliberationError, ValueError):
    """An action that the rules forbid in this state."""


class FinishedGameError(DeliberationError, ValueError):
    """A state that has ended was asked for another action."""


class NoLegalActionError(DeliberationError, ValueError):
    """A state that is not terminal offers no legal action: the task is broken."""


class BudgetError(DeliberationError, ValueError):
    """A budget that is negative, zero without a prior, or of a kind the decider cannot keep."""


class BatchMismatchError(DeliberationError, ValueError):
    """Arguments whose leading (batch) axes disagree."""


class WrongKindError(DeliberationError, TypeError):
    """An argument of another kind: no task, no objective, no random key where one belongs."""


class RandomKeyError(WrongKindError):
    """What was given as a random key is none, or there is another number of them than needed."""


class ForeignStateError(DeliberationError, ValueError):
    """States that are not this task's: of another form than those that its `init` gives."""


class ForeignMemoryError(DeliberationError, ValueError):
    """A memory that came from another decider, or from this one under other settings."""


class NonFiniteError(DeliberationError, ArithmeticError):
    """NaN or infinity came out of a model, a reward, a prior or a value."""


class ContractError(DeliberationError, AssertionError):
    """A task or decider breaks the contract that everything else relies on."""


class TooLargeError(DeliberationError, MemoryError):
    """A task is too large for an exhaustive method; the message names the size reached."""


class UnsuitableTaskError(DeliberationError, ValueError):
    """A task is of a kind that this method cannot treat (chance, hidden state, more players)."""


class WorkerDiedError(DeliberationError, RuntimeError):
    """A process that was to answer ended, hung, or was stopped before it did."""


class TooSlowError(DeliberationError, TimeoutError):
    """Something took longer than it was allowed to."""


class MissingFigureError(DeliberationError, ValueError):
    """A figure was asked for of what holds nothing to draw."""


class MissingChannelError(DeliberationError):
    """What is asked needs more of a subject than was handed over."""


class NotListedError(UnsuitableTaskError):
    """What is asked needs every state of a task, and these were not listed."""


class BackendError(DeliberationError, RuntimeError):
    """A back end was asked for that this machine does not have."""


class UnknownStateError(DeliberationError, LookupError):
    """A state that an exact solution does not hold, since play never leads there."""


class PolicyFileError(DeliberationError, ValueError):
    """A saved policy is missing, truncated, altered or of another version."""


class UntrustedFileError(PolicyFileError):
    """A file that can run code on loading, and that nobody has said to trust."""


class GameFileError(DeliberationError, ValueError):
    """A saved game is missing, damaged, of another task or of another version."""


class StorageError(DeliberationError, OSError):
    """Writing failed (no room, no permission); what was written before is intact."""


class OutputFolderError(DeliberationError, ValueError):
    """An output folder holds something else than what this run would continue."""


class TaskImportError(DeliberationError, ImportError):
    """A task of one's own, `package.module:factory`, cannot be imported, or has no such name."""


class TaskFactoryError(DeliberationError, RuntimeError):
    """What makes a task of one's own raised an error; the message says which and where."""


class TaskOptionError(DeliberationError, TypeError, ValueError):
    """An option that a registered task does not have, or a value that it cannot take."""


class UnfaithfulCloneError(DeliberationError, RuntimeError):
    """No copy of a foreign environment goes on as the original does, so none can be planned in."""


class ForeignWorldError(DeliberationError, RuntimeError):
    """A foreign environment raised an error, died, or answered with what its spaces exclude."""


class ObjectiveError(DeliberationError, RuntimeError):
    """A reward function of one's own raised an error, or gave what is no reward."""


class ContextOverflowError(DeliberationError, ValueError):
    """A text with what is to be written after it is longer than a model can read."""


class TokenizerError(DeliberationError, ValueError):
    """Texts and a model do not fit: symbols that its tokenizer lacks, or tokens that it lacks."""


class AllowanceError(DeliberationError, RuntimeError):
    """What says which tokens may follow a text raised, or gave no yes or no for each of them."""


class VerifierError(DeliberationError, RuntimeError):
    """A grader of texts raised, took too long, or gave what is no grade."""


class ForeignPolicyError(DeliberationError, ValueError):
    """A foreign policy of other shapes than the task, or one that fails or answers nonsense."""


class UnreproducedScoreError(ForeignPolicyError):
    """A foreign policy that does not score here what its owner says that it scores."""


class EngineError(DeliberationError, RuntimeError):
    """A game engine hung, died, did not speak its protocol, or answered what is no legal move."""


class UnknownSpaceError(DeliberationError, TypeError):
    """A space of actions or observations of a kind that no task here has."""


class UnknownNameError(DeliberationError, KeyError):
    """A name that is not registered; the message suggests the nearest one.

    `more` is what else a name of this kind may be.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], more: str = ""):
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = difflib.get_close_matches(name, self.known, n=1, cutoff=0.6)
        known = f"Known: {', '.join(self.known)}." if self.known else "There are none at all."
        hint = f"Did you mean {near[0]!r}?" if near else known
        super().__init__(f"There is no {kind} named {name!r}. {hint}{' ' * bool(more)}{more}")

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])
