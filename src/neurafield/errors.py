"""Errors that name a file, so that callers can distinguish bad input from a bug; three notices.

Wrong arguments of a Python function raise plain `ValueError` or `TypeError` instead.
"""


class NeurafieldError(ValueError):
    """Base class of the errors. Their text is one sentence that names a remedy."""


class SignalError(NeurafieldError):
    """Raised when a signal cannot be read, sampled or written."""


class FieldFileError(NeurafieldError):
    """Raised when a field file or a checkpoint is damaged, foreign, or of another run."""


class KernelNotice(UserWarning):
    """Warns, once per reason, that a slower version than the compiled one runs."""


class DerivativeNotice(UserWarning):
    """Warns, once per reason, that derivatives come from autodiff, which is slower than a rule."""


class SamplingNotice(UserWarning):
    """Warns that a problem is sampled too coarsely, and names the number that is enough."""
