"""Errors that name a file, so that callers can tell bad input from a bug; and three notices.

Wrong arguments to a Python function raise plain `ValueError` or `TypeError` instead.
"""


class NeurafieldError(ValueError):
    """The base of both. Its text is one sentence that names the way out."""


class SignalError(NeurafieldError):
    """Raised when a signal cannot be read, sampled or written."""


class FieldFileError(NeurafieldError):
    """Raised when a field file or checkpoint is damaged, foreign, or belongs to another run."""


class KernelNotice(UserWarning):
    """Warns, once per reason, that a slower version of an operation runs than the compiled one."""


class DerivativeNotice(UserWarning):
    """Warns, once per reason, that derivatives are computed by a slower method than a jet rule."""


class SamplingNotice(UserWarning):
    """Warns that a problem is sampled too coarsely, and names a sufficient number of samples."""
