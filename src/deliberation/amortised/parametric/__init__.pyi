from .inference_network import fit_inference as fit_inference
from .objective_based import fit_objective as fit_objective
from .regression import Answers as Answers
from .regression import collect_answers as collect_answers
from .regression import fit_answers as fit_answers
