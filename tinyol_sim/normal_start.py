"""What normal is before a device has seen anything: the model image's NORM section.

The anomaly detector starts from the mean and covariance of (ln error, ln variance) over normal
windows, the Gaussian head's classes from a variance for each feature.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError

LEAST_PRIOR, MOST_PRIOR = 1e-12, 1e12  # as in gaussian_head.h
# Where nothing was measured: in the feature's own unit, squared.
DEFAULT_PRIORS = {
    "embedding": 1.0,
    "error": 1.0,
    "log_error": 0.1,
    "log_variance": 0.05,
    "axis_log_variance": 0.05,
}
_HEAD = struct.Struct("<I2f3fHH")
_MOST_COUNT = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class NormalStart:
    """Normal windows, as they were in training.

    count: how many; 0 = not known, and then mean and covariance are zero.
    mean: (2,) float32 of ln error and ln variance (g^2).
    covariance: (3,) float32, population: error-error, error-variance, variance-variance.
    prior: (d,) float32, a feature's variance within one state of the machine, in the order of
        the features; 1e-12 to 1e12.

    Raises BundleError where that is not so.
    """

    count: int
    mean: NDArray[np.float32]
    covariance: NDArray[np.float32]
    prior: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, length in (("mean", 2), ("covariance", 3), ("prior", None)):
            with np.errstate(over="ignore"):
                array = np.asarray(getattr(self, name), np.float32)
            if array.ndim != 1 or len(array) != (length or len(array)):
                raise BundleError(f"{name} of what is normal has the shape {array.shape}")
            if not np.all(np.isfinite(array)):
                raise BundleError(f"{name} of what is normal has a number that is not finite")
            object.__setattr__(self, name, array)
        if not 0 <= self.count <= _MOST_COUNT:
            raise BundleError(f"count is {self.count}; it must be 0 to {_MOST_COUNT}")
        if not np.all((self.prior >= LEAST_PRIOR) & (self.prior <= MOST_PRIOR)):
            raise BundleError(
                f"a prior variance must be {LEAST_PRIOR:g} to {MOST_PRIOR:g}, for every feature"
            )
        ee, _, vv = self.covariance
        if ee < 0 or vv < 0:
            raise BundleError("a variance of what is normal is below 0")
        if not self.count and (np.any(self.mean) or np.any(self.covariance)):
            raise BundleError("where no window was counted, mean and covariance are zero")

    @classmethod
    def unknown(cls, features: Sequence[str], embedding_len: int) -> NormalStart:
        """Nothing was measured: no window counted, a constant prior for each kind of feature."""
        priors = [
            DEFAULT_PRIORS[name]
            for name in DEFAULT_PRIORS
            if name in features
            for _ in range(feature_len(name, embedding_len))
        ]
        zero = np.zeros(3, np.float32)
        return cls(0, zero[:2], zero, np.array(priors, np.float32))

    def to_bytes(self) -> bytes:
        """The NORM section's payload."""
        head = _HEAD.pack(self.count, *self.mean, *self.covariance, len(self.prior), 0)
        return head + self.prior.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, payload: bytes) -> NormalStart:
        """Reads a NORM section back; BundleError if it is malformed."""
        if len(payload) >= _HEAD.size:
            count, *numbers, d, reserved = _HEAD.unpack_from(payload)
            if reserved == 0 and len(payload) == _HEAD.size + 4 * d:
                prior = np.frombuffer(payload, "<f4", d, _HEAD.size)
                moments = np.array(numbers, np.float32)
                return cls(count, moments[:2], moments[2:], prior)
        raise BundleError("the model image's NORM section is malformed")


def feature_len(name: str, embedding_len: int) -> int:
    """Numbers that a feature of this name is."""
    return {"embedding": embedding_len, "axis_log_variance": 3}.get(name, 1)
