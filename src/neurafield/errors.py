"""Errors that the library raises for bad input, and three warnings.

Commands report these errors in one sentence and exit with code 2. Any other exception, a plain
`ValueError` or `TypeError` included, counts there as a bug. So code that a command calls raises
`ArgumentError` for a value that the user can choose.
"""


class NeurafieldError(ValueError):
    """Base class of all errors. The message is one or two sentences that name the remedy."""


class ArgumentError(NeurafieldError):
    """Raised when an argument is out of range, or does not match the input or other arguments."""


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
