from .language_model import LanguageModel as LanguageModel
from .next_token import fit_next_token as fit_next_token
from .next_token import token_losses as token_losses
from .thinking import ThinkingNetwork as ThinkingNetwork
from .thinking import fit_thinking as fit_thinking
from .thinking import prefix_sums as prefix_sums
from .thinking import thinking_loss as thinking_loss
from .transformer import Transformer as Transformer
