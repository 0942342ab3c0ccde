"""The benchmark of all losses: its documents, what follows from them by PROTOCOL.md, and its page."""
