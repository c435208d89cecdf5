from .fitting import Fit as Fit
from .fitting import fit_loss as fit_loss
from .updates import TrainingDivergedError as TrainingDivergedError
from .updates import run_updates as run_updates
