"""Text from files in messages: of limited length, and without control characters."""


def printable(text: str, length: int) -> str:
    r"""Text with escapes for control characters, cut to a number of characters.

    Text from a file may be of any length, and must not control the terminal.

    Example:
        >>> printable("red" + chr(27) + "[31m" + 90 * "a", 12)
        'red\\x1b[31ma...'
    """
    cut = text if len(text) <= length else text[: length - 3] + "..."
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in cut
    )


def shortened(value: object, length: int = 80) -> str:
    """The `repr` of a value in a message, cut to a number of characters."""
    return printable(repr(value), length)
