"""The command line: each command is a file with one `run(arguments)`.

`main` parses without importing torch, so that `--help` answers at once. No other subpackage imports
this one.
"""
