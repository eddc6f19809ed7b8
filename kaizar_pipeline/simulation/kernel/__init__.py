"""The compiled kernel: one call without Python's lock that draws, simulates and counts a block of replications.

Plain functions on arrays, in the order of the work: `random` -> `draw` -> `events` -> `count`, put together in `block`.
They are ordinary Python as well: with NUMBA_DISABLE_JIT=1 the same lines run uncompiled. Nobody but the modules beside
this folder imports it, and only inside functions, so that numba is loaded when it is needed.
"""
