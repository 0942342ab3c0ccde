"""Where runs execute: each engine takes configs and yields an outcome for every one of them."""
