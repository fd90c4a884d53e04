"""Errors that name a file, so that callers can tell bad input from a bug; and three notices.

Wrong arguments to a Python function raise plain `ValueError` or `TypeError` instead.
"""


class NeurafieldError(ValueError):
    """The base of both. Its text is one sentence that names the way out."""


class SignalError(NeurafieldError):
    """A signal cannot be read, sampled or written."""


class FieldFileError(NeurafieldError):
    """A field file or a checkpoint is damaged, foreign, or belongs to another run."""


class KernelNotice(UserWarning):
    """A slower version of an operation runs than the compiled one; said once for each reason."""


class DerivativeNotice(UserWarning):
    """Derivatives come by a slower way than a rule would give; said once for each reason."""


class SamplingNotice(UserWarning):
    """A problem is sampled too coarsely for what was asked; names the number that would do."""
