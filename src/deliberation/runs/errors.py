"""What can go wrong in a run, besides storage and folders (those are in `core.errors`)."""

from ..core.errors import DeliberationError, OutputFolderError


class CellError(DeliberationError, RuntimeError):
    """A cell failed, or cannot be run; the message names it and its settings."""


class RecordError(DeliberationError, ValueError):
    """A record is altered, unreadable, of another schema, or holds what JSON cannot."""


class ColumnError(DeliberationError, ValueError):
    """An array with axes that do not fit it, without a unit, or of objects."""


class FolderBusyError(OutputFolderError):
    """Another run is writing into this output folder right now."""
