"""The errors that a user can mend. Each is one line that names the thing and the mend."""


class VostoolError(Exception):
    """Something the user can mend; the command line prints it as one line and exits with 1."""


class ClipError(VostoolError):
    """A clip cannot be read as a whole: missing, empty, corrupt, or frames of different sizes."""


class ImageError(VostoolError):
    """A file is not the image that it should be."""


class ScribbleError(VostoolError):
    """A scribble file is not what it should be."""


class StoreError(VostoolError):
    """The feature store lacks something, or something in it is broken."""


class UnreachableError(VostoolError):
    """A store on a network cannot be used: no bucket, no credentials, no answer."""


class MissingStageError(StoreError):
    """A stage of a clip has not been made.

    Attributes:
        clip, network, stage: which.
    """

    def __init__(self, store: object, clip: str, network: str, stage: str) -> None:
        super().__init__(f"{clip}: no {stage} features of {network} in {store}")
        self.clip, self.network, self.stage = clip, network, stage


class BrokenStageError(StoreError):
    """A stage of a clip is not whole, is damaged, or does not go with the clip's other stage.

    Attributes:
        clip, network, stage: which.
    """

    def __init__(self, message: str, clip: str, network: str, stage: str) -> None:
        super().__init__(message)
        self.clip, self.network, self.stage = clip, network, stage


class UnreadableStageError(StoreError):
    """The system does not let a stage be read; it may be whole.

    Attributes:
        clip, network, stage: which.
    """

    def __init__(self, message: str, clip: str, network: str, stage: str) -> None:
        super().__init__(message)
        self.clip, self.network, self.stage = clip, network, stage


class StaleStageError(BrokenStageError):
    """A stage was made from other features than those of the clip's other stage."""


class UnknownClipError(StoreError):
    """The store has nothing of that name."""


class ClipNameError(StoreError):
    """That cannot name a clip."""


class AdapterError(VostoolError):
    """An adapter file is broken, or does not belong to these features."""


class WeightsError(VostoolError):
    """A network's weights are missing, or are not this network's."""


class DavisError(VostoolError):
    """A DAVIS root, or masks to be scored, are not what the benchmark needs."""


class OutputError(VostoolError):
    """A file or a folder cannot be written."""


class UsageError(VostoolError):
    """What was asked for contradicts itself; the command line exits with 2."""
