"""One module per step; see ``CONTRIBUTING.md`` for how to add one."""
