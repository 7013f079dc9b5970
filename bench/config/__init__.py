"""From a question to trials: the TOML file, the overrides, the grid."""
