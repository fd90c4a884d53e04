"""Errors that the library raises for bad input, and three warnings.

Commands report these errors in one sentence and exit with code 2. Any other exception, a plain
`ValueError` or `TypeError` included, counts there as a bug. So code that a command calls raises
`ArgumentError` for a value that the user can choose.
"""


class NeurafieldError(ValueError):
    """Base of all errors. Its text is one or two sentences that name the way out."""


class ArgumentError(NeurafieldError):
    """An argument is out of its range, or does not fit the input or the other arguments."""


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
