"""Errors with a message for the user; a tool prints it and exits with its code."""


class RigError(Exception):
    """Something the tool needed did not work: a build, a package, an emulator. Exit code 1."""

    code = 1


class UsageError(RigError):
    """The user's input is wrong: an option, a config file, a file that it names. Exit code 2."""

    code = 2
