"""The command line: each command is a file with one `run(arguments)`.

`main` parses without importing torch, so that `--help` answers at once; nothing imports this room.
"""
