"""The `kaizar` command. Its modules import what they need inside their functions, so that `kaizar --help` is fast."""
