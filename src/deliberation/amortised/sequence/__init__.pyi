from .next_token import fit_next_token as fit_next_token
from .next_token import token_losses as token_losses
from .transformer import Transformer as Transformer
