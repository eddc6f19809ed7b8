"""Types of the kernel's arrays and numbers, for readers and type checkers: the compiler ignores them."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
SmallIntegers: TypeAlias = NDArray[np.int32]
Indices: TypeAlias = NDArray[np.uint32]
Words: TypeAlias = NDArray[np.uint64]
Flags: TypeAlias = NDArray[np.bool_]
Statuses: TypeAlias = NDArray[np.int8]

Word: TypeAlias = np.uint64
"""Part of the address of a random number."""
