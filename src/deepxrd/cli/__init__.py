"""The command ``deepxrd``, and the exit codes of all commands."""
