"""The errors a person can meet; each message says what is wrong and what would be right."""


class TinyOLError(Exception):
    """Root of every error that this project raises on purpose."""


class FileError(TinyOLError):
    """Something is wrong with a file.

    It may come from anywhere, and messages quote what is in it: they are kept short.
    """

    LONGEST = 1000  # characters

    def __init__(self, message: str) -> None:
        cut = message if len(message) <= self.LONGEST else message[: self.LONGEST - 1] + "…"
        super().__init__(cut)


class RecordingError(FileError):
    """A recording cannot be read or written; names the file and, where it can, the line."""


class ModelError(FileError):
    """A .tflite model that the target cannot run, or would run wrongly; names the operator."""


class BundleError(FileError):
    """A bundle file that is truncated, foreign or inconsistent."""


class StateImageError(FileError):
    """A state image that is damaged, foreign, or does not belong to this model."""


class DeviceError(TinyOLError):
    """A command that the device refused; nothing learned has changed."""


class EmulatorError(TinyOLError):
    """The emulated board cannot be built or started, or it has stopped; says what is missing."""
