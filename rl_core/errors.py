"""The error that a person can mend."""


class InputError(ValueError):
    """A setting, file or model given by a person is wrong; the one-line message names it and the remedy."""
