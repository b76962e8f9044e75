"""The errors that a user can mend. Each is one line that names the thing and the mend."""


class VostoolError(Exception):
    """Something the user can mend; the command line prints it as one line and exits with 1."""


class ClipError(VostoolError):
    """A clip cannot be read as a whole: missing, empty, corrupt, or frames of different sizes."""


class ScribbleError(VostoolError):
    """A scribble file is not what it should be."""


class StoreError(VostoolError):
    """The feature store lacks something, or something in it is broken."""


class AdapterError(VostoolError):
    """An adapter file is broken, or does not belong to these features."""


class WeightsError(VostoolError):
    """A network's weights are missing, or are not this network's."""


class DavisError(VostoolError):
    """A DAVIS root, or masks to be scored, are not what the benchmark needs."""
