"""The configuration: one TOML file, its values, its secrets, and everything that can be wrong with it."""
