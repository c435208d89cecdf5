from .policy import text_policy as text_policy
from .stranger import TransformersModel as TransformersModel
from .stranger import from_transformers as from_transformers
