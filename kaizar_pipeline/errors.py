"""Every error that Kaizar raises on purpose.

    KaizarError
    ├── ConfigError        a hospital file that cannot be, each fault with file and line
    ├── DataError          an extract or a stored table that cannot be used
    └── SimulationError    a hospital that cannot be simulated

A message says where, what was found and what is allowed or what to do; it is meant for people who do not read
tracebacks.
"""


class KaizarError(Exception):
    """Base of all errors raised on purpose: catch this one to catch them all."""


class ConfigError(KaizarError):
    """One or more faults in configuration; `faults` holds one line for each."""

    def __init__(self, faults: list[str] | str):
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(self.faults))


class DataError(KaizarError):
    """An extract, a frame or a stored table that breaks its contract."""


class SimulationError(KaizarError):
    """A hospital whose simulation cannot be carried out as asked."""
