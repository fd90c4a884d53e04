"""Entry point of `python -m neurafield`, for when the installed command is not on the PATH."""

from .cli.main import main

if __name__ == "__main__":
    main()
