"""`python -m neurafield`, for where the installed command is not on the PATH."""

from .cli.main import main

if __name__ == "__main__":
    main()
