"""The notebooks as plain text, and `build`, which makes them."""
