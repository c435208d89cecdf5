"""Masking what is illegal: logits that are so low that softmax gives them no probability."""

FORBIDDEN = -1e9
"""The logit of an illegal action: finite, so that zero times it is zero."""
